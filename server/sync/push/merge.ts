/**
 * Decides in memory what a push becomes: which ops are new, which repeat an earlier one, who wins each key, which
 * version each gets. Ops are taken in order; a superseded op is logged too. Does no I/O. Upholds P2, P3 and P4.
 */
import { type OpRefusalCode, opRefusals } from '../../../shared/error-codes.ts'
import { parseJson } from '../../../shared/parse-json.ts'
import type { PushResultItem, Revision, SyncOperation } from '../../../shared/protocol.ts'
import type { Caller } from '../caller.ts'
import { isEqualJson } from '../json.ts'
import { deferredRetrySeconds } from '../../../shared/limits.ts'
import { compareRevisions } from '../../../shared/revision.ts'
import { countLimited } from '../../lib/limit-counts.ts'
import type { Left, Usage } from '../quota.ts'
import { type ValidOp, isValidOp, type Refusal } from './validate.ts'

/** A key's winner in the log. */
export interface StoredWinner extends Revision {
  serverVersion: number
  operation: SyncOperation
  ownerUserId: string | null
}

/** An op that the log holds already. */
export interface StoredOp extends Omit<ValidOp, 'ownerUserId' | 'payload' | 'bytes'> {
  serverVersion: number
  /** Undefined where the length already differs from the incoming op's payload. */
  payload: string | null | undefined
}

/** What the database held before the push. */
export interface StoredState {
  head: number
  /** The ops that the log holds already, by `idOf`. */
  seen: ReadonlyMap<string, StoredOp>
  /** By `keyOf`. */
  winners: ReadonlyMap<string, StoredWinner>
  /** Devices behind the horizon: their puts of rows without a record are deferred (deferred-devices.ts). */
  deferred: ReadonlySet<string>
  /** What the workspace may still keep. */
  left: Left
}

export interface LogEntry extends ValidOp {
  serverVersion: number
  obsoletes: number | null
}

export interface Merge {
  /** One per op, in order. */
  receipts: PushResultItem[]
  /** In version order. */
  log: LogEntry[]
  /** The puts of the log that won their keys. Where two are of one key, the later one counts. */
  rows: LogEntry[]
  /** Each touched key whose winner is a delete. */
  tombstones: Tombstone[]
  head: number
  /** What `log` takes of the quota. */
  used: Usage
  /** Receipts of superseded ops, with the winner's version. Their answer carries the winner. */
  superseded: { receipt: PushResultItem, winnerVersion: number }[]
  /** Devices with a deferred put. */
  deferredDevices: Set<string>
}

/** What a push came to, however it was written. */
export interface PushOutcome extends Pick<Merge, 'receipts' | 'head' | 'superseded'> {
  /** True where an op was logged. */
  isLogged: boolean
  /** The winners of `superseded`, where they were read with it. */
  winners?: readonly WinnerRow[]
}

export interface Tombstone {
  tableName: string
  pk: string
  serverVersion: number
  /** The newest change of the key, winner or loser. */
  newestVersion: number
}

/** A winner that a receipt brings. */
export interface WinnerRow {
  /** The index of its version among those asked for. */
  place: number
  op: SyncOperation
  clock: number
  hlc: string
  opId: string
  createdAt: number
  /** JSON text; null for a delete. */
  payload: string | null
}

/** One name for a key within a workspace. Table names have no NUL, so it is unambiguous. */
export function keyOf(op: { tableName: string, pk: string }): string {
  return `${op.tableName}\0${op.pk}`
}

/** The op id in lower case, as it is stored. The receipt keeps the spelling that the device sent. */
export function idOf({ opId }: { opId: string }): string {
  return opId.toLowerCase()
}

/** Decides each op in order against the stored state, and against the ops before it. */
export function mergeOps(ops: readonly (ValidOp | Refusal)[], stored: StoredState, caller: Caller): Merge {
  const merge: Merge = {
    receipts: [],
    log: [],
    rows: [],
    tombstones: [],
    head: stored.head,
    used: { bytes: 0, rows: 0 },
    superseded: [],
    deferredDevices: new Set(),
  }
  const seen = new Map<string, StoredOp>(stored.seen)
  const winners = new Map<string, StoredWinner>(stored.winners)
  const tombstones = new Map<string, Tombstone>()
  const ambiguous = findAmbiguous(ops, stored.seen)

  merge.receipts = ops.map(decide)
  merge.tombstones = [...tombstones.values()]
  return merge

  function decide(op: ValidOp | Refusal): PushResultItem {
    if (!isValidOp(op)) return toRefusedReceipt({ opId: op.opId }, op.errorCode, op.error)
    const { opId } = op
    const about = { opId, tableName: op.tableName, operation: op.operation }
    const key = keyOf(op)
    const winner = winners.get(key)
    if (winner && isOfAnother(winner, op, caller)) {
      return toRefusedReceipt(about, 'UNAUTHORIZED', 'The row belongs to another user')
    }
    const id = idOf(op)
    const earlier = seen.get(id)
    if (ambiguous.has(id) || (earlier && !isSameOp(earlier, op))) {
      return toRefusedReceipt(about, 'CONFLICT', 'This opId was used before with another content')
    }
    if (earlier) {
      const applied = winner?.serverVersion === earlier.serverVersion
      const receipt = { ...about, success: true, serverVersion: earlier.serverVersion, replayed: true, applied }
      if (!applied && winner) merge.superseded.push({ receipt, winnerVersion: winner.serverVersion })
      return receipt
    }

    if (!winner && op.operation === 'put' && stored.deferred.has(op.deviceId)) {
      merge.deferredDevices.add(op.deviceId)
      const error = `Retry after ${deferredRetrySeconds}s: this device is behind the retention horizon and has to pull `
        + 'first'
      return toRefusedReceipt(about, 'RATE_LIMITED', error)
    }

    if (isOverQuota(op)) return toRefusedReceipt(about, 'OVERSIZED', quotaExceeded)
    merge.used.bytes += op.bytes
    merge.used.rows++
    const serverVersion = ++merge.head
    const applied = !winner || compareRevisions({ ...op, opId: id }, winner) > 0
    const entry: LogEntry = {
      ...op,
      opId: id,
      // The owner stays: deleting a private row must not make the change visible to others.
      ownerUserId: winner?.ownerUserId ?? op.ownerUserId,
      serverVersion,
      obsoletes: applied ? winner?.serverVersion ?? null : serverVersion,
    }
    merge.log.push(entry)
    seen.set(id, entry)
    const receipt = { ...about, success: true, serverVersion, applied, wasExisting: winner?.operation === 'put' }
    if (applied) {
      winners.set(key, entry)
      if (entry.operation === 'put') merge.rows.push(entry)
    }
    else {
      merge.superseded.push({ receipt, winnerVersion: winner.serverVersion })
    }
    const { operation, serverVersion: winnerVersion } = applied ? entry : winner
    if (operation === 'delete') tombstones.set(
      key, { tableName: op.tableName, pk: op.pk, serverVersion: winnerVersion, newestVersion: serverVersion },
    )
    else if (tombstones.size > 0) tombstones.delete(key)
    return receipt
  }

  function isOverQuota({ operation, bytes }: ValidOp): boolean {
    const { reserve, ...left } = stored.left
    const isDelete = operation === 'delete'
    const isOver = merge.used.bytes + bytes > left.bytes + (isDelete ? reserve.bytes : 0)
      || merge.used.rows + 1 > left.rows + (isDelete ? reserve.rows : 0)
    if (isOver) countLimited('workspace-quota')
    return isOver
  }
}

const quotaExceeded = 'QUOTA_EXCEEDED: the workspace, or its owner, may keep no more; deletes are still taken'

/** The server's own code may write the rows of every user, but not give one to another user. */
function isOfAnother({ ownerUserId }: StoredWinner, op: ValidOp, caller: Caller): boolean {
  if (ownerUserId === null) return false
  const actor = caller.kind === 'user' ? caller.userId : op.ownerUserId ?? ownerUserId
  return actor !== ownerUserId
}

/** The receipt of an op that is refused. */
export function toRefusedReceipt(about: { opId: string }, errorCode: OpRefusalCode, error: string): PushResultItem {
  return { ...about, success: false, errorCode, error, retryable: opRefusals[errorCode].retryable }
}

/** Op ids that come twice in one batch with different content and are not stored: neither can be trusted. */
function findAmbiguous(ops: readonly (ValidOp | Refusal)[], stored: ReadonlyMap<string, StoredOp>): Set<string> {
  const first = new Map<string, ValidOp>()
  const ambiguous = new Set<string>()
  for (const op of ops) {
    if (!isValidOp(op)) continue
    const id = idOf(op)
    if (stored.has(id)) continue
    const other = first.get(id)
    if (!other) first.set(id, op)
    else if (!isSameOp(other, op)) ambiguous.add(id)
  }
  return ambiguous
}

type OpContent = Omit<ValidOp, 'ownerUserId' | 'payload' | 'bytes'> & { payload: string | null | undefined }

function isSameOp(a: OpContent, b: OpContent): boolean {
  return a.tableName === b.tableName && a.pk === b.pk && a.operation === b.operation
    && a.clock === b.clock && a.hlc === b.hlc && a.deviceId === b.deviceId
    && isSamePayload(a.payload, b.payload)
}

function isSamePayload(a: string | null | undefined, b: string | null | undefined): boolean {
  if (a === b) return true
  // The same value in another order of keys has the same characters; comparing large ones by value takes long.
  if (typeof a === 'string' && typeof b === 'string' && (a.length !== b.length || sumOf(a) !== sumOf(b))) return false
  return typeof a === 'string' && typeof b === 'string' && isEqualJson(parseJson(a), parseJson(b))
}

function sumOf(text: string): number {
  let sum = 0
  for (let index = 0; index < text.length; index++) sum += text.charCodeAt(index)
  return sum
}
