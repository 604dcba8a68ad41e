/**
 * Pushes on a database that several servers share: all that wait are written by one plan, in one transaction and one
 * round trip. SQL gives the versions, decides the winners and answers with what became of each op. A push of which an
 * op is not new, belongs to another user or comes from a device behind the horizon is left out by the plan, as is the
 * first of its workspace, and then decided alone, in memory as for a local file (merge.ts), in two round trips. Upholds
 * P1 to P4 and P7 to P9.
 */
import type { InStatement, ResultSet } from '@libsql/core/api'
import { sql } from 'drizzle-orm'
import { maxAnswerBytes } from '../../../shared/limits.ts'
import { parseJson } from '../../../shared/parse-json.ts'
import type { PushResultItem, Winner } from '../../../shared/protocol.ts'
import type { GroupedWrite } from '../../database/remote/grouped-writes.ts'
import { compileSql, inParts } from '../../database/statement.ts'
import type { UserCaller } from '../caller.ts'
import { deferDevices } from '../deferred-devices.ts'
import {
  insertNewChanges, insertOneChange, moveHeads, pointRecords, type Receipt, selectOneReceipt, selectReceipts,
  toOneValues, toPlanValues,
} from './group-plan.ts'
import type { Left, Quotas, Usage } from '../quota.ts'
import { idOf, keyOf, mergeOps, type PushOutcome, toRefusedReceipt, type WinnerRow } from './merge.ts'
import {
  addSeen,
  type BeforeRow,
  type DeferredRow,
  type SeenRow,
  selectBefore,
  selectDeferred,
  selectSeen,
  selectWinners,
  toDeferred,
  toFound,
} from './reads.ts'
import { isValidOp, type Refusal, type ValidOp } from './validate.ts'
import { insertChanges, updateHead, upsertRows, upsertTombstones } from './writes.ts'

export interface GroupedPush {
  caller: UserCaller
  /** In order; a refusal is a receipt already. */
  ops: readonly (ValidOp | Refusal)[]
}

/** A plan is bound with all payloads as one value, of which a database server takes 5 MB. */
const maxPlanBytes = maxAnswerBytes

/** `now` is `SyncDatabase.now`. */
export function createGroupedPushes(now: () => number | null, quotas: Quotas): GroupedWrite<GroupedPush, PushOutcome> {
  return {
    isAlone({ caller, ops }) {
      const valid = ops.filter(isValidOp)
      return valid.length === 0 || bytesOf(valid) > maxPlanBytes || !isWithin(quotas.left(caller.workspaceId), valid)
        || new Set(valid.map(keyOf)).size < valid.length || new Set(valid.map(idOf)).size < valid.length
    },
    startGroup: createGroup,
    plan(pushes) {
      const workspaces = JSON.stringify([...new Set(pushes.map(({ caller }) => caller.workspaceId))])
      return [...planInserts(pushes, workspaces, now()), pointRecords({ workspaces }), moveHeads({ workspaces })]
    },
    read(pushes, results) {
      const outcomes = readOutcomes(pushes, results)
      pushes.forEach(({ caller, ops }, index) => {
        if (outcomes[index]) quotas.spend(caller.workspaceId, weigh(ops.filter(isValidOp)))
      })
      return outcomes
    },
    reads: ({ caller, ops }) => {
      const { workspaceId } = caller
      const valid = ops.filter(isValidOp)
      return [
        insertLog({ workspaceId }),
        selectNow({ now: now() }),
        selectDeferred(caller, valid),
        ...[...inParts(valid)].map(part => selectBefore(workspaceId, part)),
        ...[...inParts(valid)].map(part => selectSeen(part, { workspaceId })),
      ]
    },
    decide(push, results) {
      const decided = decideAlone(push, quotas.left(push.caller.workspaceId), results)
      quotas.spend(push.caller.workspaceId, decided.used)
      return decided
    },
  }
}

/** The inserts into the log, and the receipts. */
function planInserts(pushes: readonly GroupedPush[], workspaces: string, now: number | null): InStatement[] {
  const [{ caller, ops }] = pushes as [GroupedPush]
  const [one, ...others] = ops.filter(isValidOp)
  if (pushes.length > 1 || !one || others.length > 0) {
    return [insertNewChanges(toPlanValues(pushes, now)), selectReceipts({ workspaces })]
  }
  return [insertOneChange(toOneValues(caller, one, now)), selectOneReceipt(caller)]
}

/** No two pushes of a group touch one row or have one op id: what the second would find is not there yet. */
function createGroup() {
  const taken = new Set<string>()
  let bytes = 0
  return {
    add({ caller, ops }: GroupedPush): boolean {
      const valid = ops.filter(isValidOp)
      const names = valid.flatMap(op => [idOf(op), `${caller.workspaceId}\0${keyOf(op)}`])
      const added = bytesOf(valid)
      if (bytes > 0 && (bytes + added > maxPlanBytes || names.some(name => taken.has(name)))) return false
      bytes += added
      for (const name of names) taken.add(name)
      return true
    },
  }
}

function weigh(ops: readonly ValidOp[]): Usage {
  return { bytes: ops.reduce((sum, op) => sum + op.bytes, 0), rows: ops.length }
}

function isWithin(left: Left, ops: readonly ValidOp[]): boolean {
  const { bytes, rows } = weigh(ops)
  return bytes <= left.bytes && rows <= left.rows
}

/** Of payloads and stamps, the latter at most. */
function bytesOf(ops: readonly ValidOp[]): number {
  return ops.reduce((sum, { payload, pk, hlc, deviceId, tableName }) =>
    sum + (payload === null ? 0 : Buffer.byteLength(payload))
    + 3 * (pk.length + hlc.length + 2 * deviceId.length + tableName.length) + 100, 0)
}

/** The outcome of each push that the plan has written; a push is written whole or not at all. */
function readOutcomes(pushes: readonly GroupedPush[], results: readonly ResultSet[]): (PushOutcome | undefined)[] {
  const logged = new Map((results[1]!.rows as unknown as Receipt[]).map(row => [row.opId, row]))
  return pushes.map(({ ops }) => {
    const first = ops.find(isValidOp)
    if (!first || !logged.has(idOf(first))) return undefined
    let head = 0
    const receipts = ops.map((op): PushResultItem => {
      if (!isValidOp(op)) return toRefusedReceipt({ opId: op.opId }, op.errorCode, op.error)
      const row = logged.get(idOf(op))!
      const { serverVersion, obsoletes, was } = row
      head = serverVersion
      const applied = obsoletes !== serverVersion
      const receipt: PushResultItem = {
        opId: op.opId,
        tableName: op.tableName,
        operation: op.operation,
        success: true,
        serverVersion,
        applied,
        wasExisting: was === 'put',
      }
      return row.winnerId === null ? receipt : { ...receipt, ...toWinner(row, row.winnerId) }
    })
    return { receipts, head, superseded: [], isLogged: true }
  })
}

function toWinner(
  { was, clock, hlc, createdAt, payload: text }: Receipt, opId: string,
): { payload?: unknown, winner: Winner } {
  const revision = { clock, hlc, opId }
  if (was === 'delete') return { winner: { kind: 'delete', revision, serverDeletedAt: createdAt } }
  const payload = parseJson(text ?? 'null')
  return { payload, winner: { kind: 'put', payload, revision } }
}

/** As `writeChecked` does for a local file. */
function decideAlone(
  { caller, ops }: GroupedPush, left: Left, [, time, deferred, ...rest]: readonly ResultSet[],
): { writes: InStatement[], finish: (results: readonly ResultSet[]) => PushOutcome, used: Usage } {
  const valid = ops.filter(isValidOp)
  const parts = [...inParts(valid)]
  const rowOf = <Row>(result: ResultSet | undefined) => result?.rows[0] as Row | undefined
  const { logId, head, horizon, winners } = toFound(
    valid, rest.slice(0, parts.length).map(result => rowOf<BeforeRow>(result)),
  )
  const seen = new Map<string, never>()
  parts.forEach((part, index) => addSeen(seen, part, rowOf<SeenRow>(rest[parts.length + index])!))
  const waiting = toDeferred(valid, deferred!.rows as unknown as DeferredRow[])
  const merge = mergeOps(ops, { head, winners, seen, deferred: waiting, left }, caller)
  const { now } = rowOf<{ now: number }>(time)!
  const writes: InStatement[] = []
  if (merge.deferredDevices.size > 0) writes.push(deferDevices(caller, merge.deferredDevices, horizon, now))
  if (merge.log.length > 0) {
    const inLog = { logId: logId! }
    for (const part of inParts(merge.log)) writes.push(insertChanges(part, { ...inLog, now }))
    if (merge.rows.length > 0) for (const part of inParts(merge.rows)) writes.push(upsertRows(part, inLog))
    if (merge.tombstones.length > 0) {
      for (const part of inParts(merge.tombstones)) writes.push(upsertTombstones(part, { ...inLog, now }))
    }
    writes.push(updateHead({ ...inLog, head: merge.head, ...merge.used }))
  }
  const outcome = { ...merge, isLogged: merge.log.length > 0 }
  if (merge.superseded.length === 0) return { writes, finish: () => outcome, used: merge.used }
  const select = selectWinners(caller.workspaceId, merge.superseded.map(one => one.winnerVersion))
  return {
    writes: [...writes, select],
    finish: answers => ({ ...outcome, winners: answers[writes.length]!.rows as unknown as WinnerRow[] }),
    used: merge.used,
  }
}

const insertLog = compileSql<{ workspaceId: string }>(value => sql`
  insert into logs (workspace_id, head) values (${value('workspaceId')}, 0) on conflict (workspace_id) do nothing`)

const selectNow = compileSql<{ now: number | null }, { now: number }>(value => sql`
  select coalesce(${value('now')}, unixepoch()) as now limit 1`)
