/**
 * Live across servers: a commit of one reaches the listeners of the other, by hint or by polling, and nothing is asked while
 * nobody listens. Seen red: the first head of a workspace not told; a hint that is not looked for again; polling without
 * listeners.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, vi } from 'vitest'
import { createSyncEngine } from '../../../server/sync/engine.ts'
import type { UserCaller } from '../../../server/sync/caller.ts'
import { openRemoteTestDatabase, useSqld } from '../../helpers/remote-database.ts'
import { putOf } from '../../helpers/sync.ts'

const sqld = useSqld()
const caller: UserCaller = { kind: 'user', workspaceId: 'workspace-1', userId: 'user-1' }
const push = (engine: ReturnType<typeof createSyncEngine>, pk: string) =>
  engine.push(caller, { scope: { workspaceId: caller.workspaceId }, ops: [putOf(pk)] })

async function openTwo({ hints }: { hints: boolean }) {
  const { wsUrl: url } = await sqld()
  const one = await openRemoteTestDatabase({ url })
  const two = await openRemoteTestDatabase({ url, keep: true })
  const listenForWrites = hints ? two.listenForWrites : () => () => {}
  return { writing: createSyncEngine(one), listening: createSyncEngine({ ...two, listenForWrites }), requests: () => two.connection.requests }
}

it.each([[true, 100], [false, 200]])('tells the listeners of the other server, hints %s, within %i ms', async (hints, withinMs) => {
  const { writing, listening } = await openTwo({ hints })
  const heads: number[] = []
  const stop = listening.onCommit(({ head }) => heads.push(head), caller.workspaceId)
  await push(writing, 'first')
  await vi.waitFor(() => expect(heads).toContain(1), { timeout: 3_000 })
  const late: number[] = []
  for (let index = 2; index <= 30; index++) {
    await push(writing, `m${index}`)
    const toldAt = performance.now()
    await vi.waitFor(() => expect(heads.at(-1)).toBe(index), { timeout: 3_000, interval: 1 })
    late.push(performance.now() - toldAt)
    await sleep(20)
  }
  late.sort((a, b) => a - b)
  // The machine may stop one of them for longer.
  expect(late[Math.floor(late.length * 0.9)]).toBeLessThan(withinMs)
  stop()
})

it('tells a listener that comes later of the head it may have missed, and of no other workspace', async () => {
  const { writing, listening } = await openTwo({ hints: false })
  await push(writing, 'a')
  const heads: number[] = []
  const others: number[] = []
  const stops = [
    listening.onCommit(({ head }) => heads.push(head), caller.workspaceId),
    listening.onCommit(({ head }) => others.push(head), 'workspace-2'),
  ]
  await vi.waitFor(() => expect(heads).toEqual([1]), { timeout: 3_000 })
  expect(others).toEqual([])
  for (const stop of stops) stop()
})

it('asks nothing while nobody listens, and once a second while nothing is written', async () => {
  const { listening, requests } = await openTwo({ hints: true })
  // What an engine reads at its start.
  await sleep(100)
  const unheard = requests()
  await sleep(1_200)
  expect(requests() - unheard).toBe(0)
  const stop = listening.onCommit(() => {}, caller.workspaceId)
  // It begins as if writes happened, until the database's hints have begun.
  await sleep(1_200)
  const before = requests()
  await sleep(2_500)
  stop()
  const asked = requests() - before
  expect(asked).toBeGreaterThanOrEqual(2)
  expect(asked).toBeLessThanOrEqual(4)
  await sleep(1_200)
  expect(requests() - before).toBe(asked)
})
