/**
 * Any history of the old server, cleaned up anywhere, moves so that every device goes on: whatever its cursor, it ends
 * with the rows the old server showed, and whoever may have missed a delete is told.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { addOldUser, createOldServer, type OldOp } from '../fixtures/incumbent/old-database.ts'
import { messageOf } from '../helpers/sync.ts'
import type { SyncChange } from '../../shared/protocol.ts'
import { makeOldFile, move, oldState, pullAll, resolve, snapshotAll, sorted } from '../unit/cli/moved.ts'

const ws = 'w1'

type Step
  = | { kind: 'op', key: number, clock: number, hlc: number, isDelete: boolean }
    | { kind: 'cleanLog' | 'cleanTombstones', percent: number }

const isRarely = fc.nat(5).map(number => number === 0)

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ kind: fc.constant('op' as const), key: fc.nat(20), clock: fc.integer({ min: 1, max: 3 }), hlc: fc.nat(3), isDelete: isRarely }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('cleanLog' as const, 'cleanTombstones' as const), percent: fc.nat(100) }) },
)

it('goes on for every device, whatever the history and the clean-up before', async () => {
  await fc.assert(fc.asyncProperty(fc.constantFrom(2, 6, 17), fc.array(step, { maxLength: 40, size: 'max' }), fc.boolean(), async (revision, steps, isLegacy) => {
    const old = await makeOldFile(revision)
    addOldUser(old.database, { user: 'ada', workspace: ws })
    const server = createOldServer(old.database, ws, { revision })
    const pushed: SyncChange[] = []
    for (const one of steps) {
      if (one.kind === 'op') {
        const { pk, clock, op, hlc } = toOp(one, server.head)
        const payload = op === 'put' ? messageOf(pk, { clock, hlc }) : undefined
        const serverVersion = server.push({ pk, clock, op, hlc, payload })
        pushed.push({ serverVersion, tableName: 'messages', pk, op: op!, payload, stamp: { deviceId: '', opId: '', hlc: hlc!, clock } })
      }
      else {
        server[one.kind](Math.floor(server.head * one.percent / 100))
      }
    }
    if (isLegacy && revision >= 6) old.database.exec(`update s_messages set op_id = ''; update tombstones set op_id = ''`)
    const expected = sorted(oldState(old.database, ws))

    const { report, adapter } = await move(old)
    const [{ head, horizon, changes, restored }] = report.workspaces as [typeof report.workspaces[0]]
    expect(head).toBe(server.head)
    const whole = await pullAll(adapter, ws)
    expect(whole.changes).toHaveLength(changes + restored)
    expect(sorted(resolve(whole.changes))).toEqual(expected)
    expect((await snapshotAll(adapter, ws)).flatMap(item => item.kind === 'row' ? [[`messages/${item.pk}`, item.payload]] : []).sort(byKey)).toEqual(expected)

    for (let cursor = 0; cursor <= head; cursor++) {
      // What the device has seen of the old server, and then of this one.
      const known = new Map<string, SyncChange>()
      resolve(pushed.filter(change => change.serverVersion <= cursor), known)
      const tail = await pullAll(adapter, ws, { cursor })
      expect(tail.requiresSnapshot).toBe(cursor < horizon)
      const ends = sorted(resolve(tail.changes, known))
      if (!tail.requiresSnapshot) expect(ends).toEqual(expected)
      // Also a device that cannot take a snapshot has every live row.
      for (const row of expected) expect(ends).toContainEqual(row)
    }
  }), { numRuns: Number(process.env['IMPORT_RUNS'] ?? 60) })
}, 300_000)

/** No two ops have one hlc: it names its device and counts there. */
function toOp({ key, clock, hlc, isDelete }: Extract<Step, { kind: 'op' }>, count: number): OldOp {
  return { pk: `m${key}`, clock, op: isDelete ? 'delete' : 'put', hlc: `0mk3n1ab${hlc}:${String(count).padStart(3, '0')}:device01` }
}

function byKey([a]: [string, unknown] | unknown[], [b]: [string, unknown] | unknown[]): number {
  return String(a) < String(b) ? -1 : 1
}
