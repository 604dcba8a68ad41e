/**
 * How many requests to a database server a call takes: each costs a way there and back. Seen red: the counters of a snapshot
 * read by themselves, the winners of a repeat read after it.
 */
import { expect, it } from 'vitest'
import { createAuthWorkspaceStore } from '../../../server/host/auth-store.ts'
import type { UserCaller } from '../../../server/sync/caller.ts'
import { createSyncEngine } from '../../../server/sync/engine.ts'
import { openRemoteTestDatabase, useSqld } from '../../helpers/remote-database.ts'
import { deleteOf, putOf } from '../../helpers/sync.ts'

const sqld = useSqld()
const caller: UserCaller = { kind: 'user', workspaceId: 'workspace-1', userId: 'user-1' }
const scope = { workspaceId: caller.workspaceId }

async function openCounted() {
  const database = await openRemoteTestDatabase({ url: (await sqld()).wsUrl })
  const engine = createSyncEngine(database)
  // The first push begins the log and reads what the quota has left, the first snapshot makes the key of its tokens.
  await engine.push(caller, { scope, ops: [putOf('first'), putOf('second')] })
  await engine.snapshot(caller, { scope, pageSize: 1 })
  const count = async <T>(call: () => Promise<T>) => {
    const before = database.connection.requests
    const answer = await call()
    return { requests: database.connection.requests - before, answer }
  }
  return { database, engine, count }
}

it.each([1, 2, 40])('pushes %i ops in one, new or not, and with a repeat or one row twice in three', async (size) => {
  const { engine, count } = await openCounted()
  const push = (ops: ReturnType<typeof putOf>[]) => count(() => engine.push(caller, { scope, ops }))
  const make = (clock: number) => Array.from({ length: size }, (_, index) => putOf(`m${index}`, { stamp: { clock } }))
  const updates = make(3)
  expect((await push(make(2))).requests).toBe(1)
  expect((await push(updates)).requests).toBe(1)

  const lost = await push(make(1))
  expect(lost.requests).toBe(1)
  expect(lost.answer.results).toMatchObject(updates.map(({ stamp, payload }) => ({ success: true, applied: false, wasExisting: true, payload, winner: { kind: 'put', revision: { opId: stamp.opId } } })))
  expect((await push(Array.from({ length: size }, (_, index) => deleteOf(`m${index}`, { stamp: { clock: 4 } })))).requests).toBe(1)
  const late = await push(make(2))
  expect(late.requests).toBe(1)
  expect(late.answer.results).toMatchObject(updates.map(() => ({ applied: false, wasExisting: false, winner: { kind: 'delete' } })))

  expect((await push(updates)).requests).toBe(3)
  // One row twice is known before anything is asked.
  expect((await push([putOf('twice'), putOf('twice', { stamp: { clock: 2 } })])).requests).toBe(2)
})

it('pulls, reads a page of a snapshot and knows a session in one', async () => {
  const { database, engine, count } = await openCounted()
  await engine.push(caller, { scope, ops: Array.from({ length: 20 }, (_, index) => putOf(`m${index}`)) })
  expect((await count(() => engine.pull(caller, { scope, cursor: 0 }))).requests).toBe(1)
  // Of a row that is twice in the page the greatest change only.
  await engine.push(caller, { scope, ops: [putOf('twice', { stamp: { clock: 1 } })] })
  await engine.push(caller, { scope, ops: [putOf('twice', { stamp: { clock: 2 } })] })
  const pulled = await count(() => engine.pull(caller, { scope, cursor: 0 }))
  expect(pulled.requests).toBe(1)
  expect(pulled.answer.changes.filter(({ pk }) => pk === 'twice')).toHaveLength(1)
  const page = await count(() => engine.snapshot(caller, { scope, pageSize: 10 }))
  expect(page.requests).toBe(1)
  const pageToken = page.answer.nextPageToken!
  expect((await count(() => engine.snapshot(caller, { scope, pageSize: 10, pageToken }))).requests).toBe(1)
  expect((await count(() => engine.snapshot(caller, { scope, pageSize: 10, tables: ['messages'] }))).requests).toBe(1)

  const store = createAuthWorkspaceStore(async () => database)
  const account = { provider: 'test', providerUserId: 'ann' }
  const { userId } = await store.getOrCreateUser(account)
  await store.getOrCreateDefaultWorkspace(userId)
  expect((await count(() => store.findKnownSession(account))).requests).toBe(1)
})
