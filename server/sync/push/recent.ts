/**
 * The batches that this process committed last, so that one which comes again, because its answer was lost, is answered
 * without the database: a sixth of the time, and no turn of the one writer. It comes as it came then, alone or after
 * others; a batch with anything else in it, or with an op that has since been beaten, goes the whole way, where the log
 * decides. One process owns the file and opens it once, so nothing changes behind it; who drops a winner from the log
 * says so here. Upholds P2.
 */
import type { SyncDatabase } from '../../db/open.ts'
import type { Caller } from '../caller.ts'
import type { PushResult, PushResultItem } from '../gateway/types.ts'
import { isDeeperThan } from '../json.ts'
import { maxPayloadDepth, maxRecentOps, maxRecentTextLength } from '../limits.ts'
import type { IncomingOp } from './admit.ts'
import type { LogEntry, Merge } from './merge.ts'

interface Recent {
  workspaces: Map<string, RecentLog>
  /** Over all workspaces, oldest first; those before `oldest` are gone. */
  batches: (Batch | undefined)[]
  oldest: number
  ops: number
  textLength: number
  /** How many versions all workspaces remember as obsolete. */
  obsolete: number
}

interface RecentLog {
  workspaceId: string
  head: number
  byFirstOpId: Map<string, Batch>
  /** Of the batch that was kept last; what became obsolete after it is in no batch. */
  newest: number
  /** Versions up to `newest` made obsolete since the first batch was kept. */
  obsolete: Set<number>
}

interface Batch { of: RecentLog, log: readonly LogEntry[], textLength: number }

/** The log answers a smaller batch almost as fast, and a keystroke's push need not pay for it. */
const leastKeptOps = 4

/** A number each, which is little; beyond this all is forgotten at once. */
const maxObsolete = 4 * maxRecentOps

const recents = new WeakMap<SyncDatabase, Recent>()

/** After the commit, in the order of the commits, which is the writer's. */
export function remember(database: SyncDatabase, { workspaceId }: Caller, { log, head }: Merge): void {
  let recent = recents.get(database)
  if (!recent) recents.set(database, recent = { workspaces: new Map(), batches: [], oldest: 0, ops: 0, textLength: 0, obsolete: 0 })
  let known = recent.workspaces.get(workspaceId)
  const isKept = log.length >= leastKeptOps
  if (!known) {
    if (!isKept) return
    recent.workspaces.set(workspaceId, known = { workspaceId, head: 0, byFirstOpId: new Map(), newest: 0, obsolete: new Set() })
  }
  known.head = head
  if (isKept) known.newest = head
  for (const { obsoletes } of log) {
    if (obsoletes === null || obsoletes > known.newest) continue
    known.obsolete.add(obsoletes)
    recent.obsolete++
  }
  if (recent.obsolete > maxObsolete) recents.delete(database)
  else if (isKept) keep(recent, { of: known, log, textLength: log.reduce((sum, entry) => sum + textLengthOf(entry), 0) })
}

function textLengthOf({ pk, hlc, deviceId, payload }: LogEntry): number {
  return pk.length + hlc.length + deviceId.length + (payload?.length ?? 0)
}

function keep(recent: Recent, batch: Batch) {
  batch.of.byFirstOpId.set(batch.log[0]!.opId, batch)
  recent.batches.push(batch)
  recent.ops += batch.log.length
  recent.textLength += batch.textLength
  while (recent.ops > maxRecentOps || recent.textLength > maxRecentTextLength) forgetOldest(recent)
}

function forgetOldest(recent: Recent) {
  const { of, log, textLength } = recent.batches[recent.oldest]!
  of.byFirstOpId.delete(log[0]!.opId)
  // Not where another has taken its place since a clean-up.
  if (of.byFirstOpId.size === 0 && recent.workspaces.get(of.workspaceId) === of) forgetLog(recent, of)
  recent.ops -= log.length
  recent.textLength -= textLength
  recent.batches[recent.oldest++] = undefined
  if (recent.oldest <= maxRecentOps) return
  recent.batches = recent.batches.slice(recent.oldest)
  recent.oldest = 0
}

function forgetLog(recent: Recent, { workspaceId, obsolete }: RecentLog) {
  recent.workspaces.delete(workspaceId)
  recent.obsolete -= obsolete.size
}

/** For whoever drops winners from the log: what it no longer knows must not be known here. */
export function forgetWorkspace(database: SyncDatabase, workspaceId: string): void {
  const recent = recents.get(database)
  const known = recent?.workspaces.get(workspaceId)
  if (recent && known) forgetLog(recent, known)
}

/** The answer of a batch that is known whole; undefined where the database must be asked. */
export function answerRepeat(database: SyncDatabase, caller: Caller, ops: readonly IncomingOp[]): PushResult | undefined {
  const known = recents.get(database)?.workspaces.get(caller.workspaceId)
  if (!known || ops.length < leastKeptOps) return undefined
  const results: PushResultItem[] = []
  let log: readonly LogEntry[] = []
  let next = 0
  for (const op of ops) {
    if (next === log.length) {
      log = known.byFirstOpId.get(op.stamp.opId)?.log ?? []
      next = 0
    }
    const entry = log[next++]
    if (!entry || known.obsolete.has(entry.serverVersion) || !isRepeat(entry, op, caller)) return undefined
    const { opId, tableName, operation, serverVersion } = entry
    results.push({ opId, tableName, operation, success: true, serverVersion, replayed: true, applied: true })
  }
  return { results, serverVersion: known.head }
}

/** It was admitted then, so its shape need not be checked again; whose the row is, must. */
function isRepeat(entry: LogEntry, { tableName, operation, pk, payload, stamp }: IncomingOp, { userId }: Caller): boolean {
  return (entry.ownerUserId === null || entry.ownerUserId === userId)
    && entry.opId === stamp.opId && entry.tableName === tableName && entry.pk === pk && entry.operation === operation
    && entry.clock === stamp.clock && entry.hlc === stamp.hlc && entry.deviceId === stamp.deviceId
    && isSamePayload(entry.payload, payload)
}

/** Letter by letter: with its keys in another order a repeat goes the whole way. */
function isSamePayload(text: string | null, payload: unknown): boolean {
  if (payload === undefined || payload === null) return text === null
  return text !== null && !isDeeperThan(payload, maxPayloadDepth) && JSON.stringify(payload) === text
}
