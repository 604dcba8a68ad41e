/**
 * A device of February 2026 judges every change of a page against its rows before the page. It ends with the server's
 * rows all the same, whatever the history, the page size and the clean-up: no stale row, and no deleted row alive. One
 * of its faults stays: a tombstone of an equal clock hides a put until the row's next change. Upholds P5.
 */
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { PendingOp, PullRequest } from '../../shared/protocol.ts'
import { createFebruaryDevice } from '../e2e/devices/february.ts'
import type { Network } from '../e2e/devices/network.ts'
import { type Entry, keyOf, rowsOfSnapshot } from '../e2e/devices/rows.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { adapterOf } from '../helpers/engine.ts'
import { deleteOf, emptyEvent, eventOf, putOf, snapshotAll } from '../helpers/sync.ts'
import { runs, timeoutMs, withoutFlushes } from './scale.ts'

/** As devices make it: no two ops have one clock and one hlc. */
const history = fc.array(fc.record({
  pk: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'),
  tableName: fc.constantFrom('messages', 'threads'),
  isPut: fc.constantFrom(true, true, false),
  clock: fc.nat(6),
  wall: fc.nat(40),
}), { minLength: 10, maxLength: 60, size: 'max' }).map(entries => entries.map(({ pk, tableName, isPut, clock, wall }, index) => {
  const stamp = { clock, hlc: `${String(wall).padStart(3, '0')}:${String(index).padStart(3, '0')}` }
  return isPut ? putOf(pk, { tableName, stamp }) : deleteOf(pk, { tableName, stamp })
}))
const pages = fc.record({ bootstrapLimit: fc.integer({ min: 1, max: 60 }), pollLimit: fc.integer({ min: 1, max: 20 }) })
/** How many of the changes are pushed before the second device polls, and how many are old then. */
const share = fc.integer({ min: 0, max: 100 })

interface Found { stale: string[], ghosts: string[], missing: string[] }

let workspaces = 0

it('shows what the server has, from every history and with every page size', { timeout: timeoutMs(120) }, async () => {
  const database = await openTestDatabase(withoutFlushes)
  const adapter = adapterOf(database)
  const faultsOfHistory = { stale: 0, ghosts: 0 }
  await fc.assert(fc.asyncProperty(history, pages, share, share, async (ops, limits, early, old) => {
    const workspaceId = `workspace-${++workspaces}`
    const as = eventOf('user-1', workspaceId)
    const scope = { workspaceId }
    const push = (some: PendingOp[]) => adapter.push(as, { scope, ops: some })
    const makeDevice = (id: string, asksForHistory = false) => createFebruaryDevice({
      id, userId: 'user-1', workspaceId, now: () => 1_780_000_000_000, ...limits, expectsHistory: asksForHistory,
      network: makeNetwork(request => adapter.pull(as, { ...request, history: asksForHistory })),
    })
    const first = Math.round(ops.length * early / 100)
    await push(ops.slice(0, first))
    const polling = makeDevice('polling')
    await polling.sync()
    for (let from = first; from < ops.length; from += 7) {
      await push(ops.slice(from, from + 7))
      await polling.sync()
    }
    await database.write(tx => tx.run(sql`
      update changes set created_at = 0 where server_version <= ${Math.round(ops.length * old / 100)}
        and log_id = (select id from logs where workspace_id = ${workspaceId})`))
    await adapter.gcChangeLog(emptyEvent, { scope, retentionSeconds: 3_600 })
    const rows = rowsOfSnapshot((await snapshotAll(adapter, { as, workspace: workspaceId })).items)
    for (const device of [polling, await bootstrap(makeDevice('new'))]) {
      const { stale, ghosts, missing } = compare(device.rows, rows)
      expect({ stale, ghosts }).toEqual({ stale: [], ghosts: [] })
      expect(missing.filter(key => !isHidden(key, rows.get(key)!, ops))).toEqual([])
    }
    const misled = compare((await bootstrap(makeDevice('misled', true))).rows, rows)
    faultsOfHistory.stale += misled.stale.length
    faultsOfHistory.ghosts += misled.ghosts.length
  }), runs(60))
  // The histories are of the kind that such a device does not survive by itself.
  expect(Math.min(faultsOfHistory.stale, faultsOfHistory.ghosts)).toBeGreaterThan(10)
})

type Device = ReturnType<typeof createFebruaryDevice>

/** The first sync of a device loads everything. */
async function bootstrap(device: Device): Promise<Device> {
  await device.sync()
  return device
}

function makeNetwork(pull: (request: PullRequest) => Promise<unknown>): Network {
  return {
    user: 'user-1', badness: 0, lost: 0,
    async post<T>(route: string, body: object) {
      const answer = route === '/api/sync/pull' ? await pull(body as PullRequest) : {}
      return { status: 200, body: answer as T, retryAfterMs: undefined }
    },
  }
}

function compare(shown: ReadonlyMap<string, Entry>, rows: ReadonlyMap<string, Entry>): Found {
  const found: Found = { stale: [], ghosts: [], missing: [] }
  for (const key of new Set([...shown.keys(), ...rows.keys()])) {
    const [here, there] = [shown.get(key), rows.get(key)]
    if (here?.op === 'put' && there?.op !== 'put') found.ghosts.push(key)
    else if (here?.op === 'put' && here.revision.opId !== there?.revision.opId) found.stale.push(key)
    else if (there?.op === 'put' && here?.op !== 'put') found.missing.push(key)
  }
  return found
}

function isHidden(key: string, { revision }: Entry, ops: readonly PendingOp[]): boolean {
  return ops.some(op => keyOf(op) === key && op.operation === 'delete' && op.stamp.clock === revision.clock)
}
