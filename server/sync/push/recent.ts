/**
 * The ops that this process committed last and that are still the winners of their keys, so that a batch which comes
 * again, because its answer was lost, is answered without the database: a sixth of the time, and no turn of the one
 * writer. A batch with anything else in it goes the whole way, where the log decides. One process owns the file and
 * opens it once, so nothing changes behind it; who drops a winner from the log says so here. Upholds P2.
 */
import type { SyncDatabase } from '../../db/open.ts'
import type { Caller } from '../caller.ts'
import type { PushResult, PushResultItem } from '../gateway/types.ts'
import { isDeeperThan } from '../json.ts'
import { maxPayloadDepth, maxRecentOps, maxRecentTextLength } from '../limits.ts'
import type { IncomingOp } from './admit.ts'
import type { LogEntry, Merge } from './merge.ts'

interface Recent {
  workspaces: Map<string, Winners>
  /** What was kept together goes together, oldest first; those before `oldest` are gone. */
  blocks: (Block | undefined)[]
  oldest: number
  ops: number
  textLength: number
}

interface Winners { workspaceId: string, head: number, byOpId: Map<string, LogEntry> }
interface Block { winners: Winners, log: readonly LogEntry[], textLength: number }

/** The log answers a smaller batch almost as fast, and a keystroke's push need not pay for it. */
const leastKeptOps = 4

const recents = new WeakMap<SyncDatabase, Recent>()

/** After the commit, in the order of the commits, which is the writer's. */
export function remember(database: SyncDatabase, { workspaceId }: Caller, { log, beaten, head }: Merge): void {
  let recent = recents.get(database)
  if (!recent) recents.set(database, recent = { workspaces: new Map(), blocks: [], oldest: 0, ops: 0, textLength: 0 })
  let winners = recent.workspaces.get(workspaceId)
  const isKept = log.length >= leastKeptOps
  if (!winners) {
    if (!isKept) return
    recent.workspaces.set(workspaceId, winners = { workspaceId, head: 0, byOpId: new Map() })
  }
  if (isKept) keep(recent, { winners, log, textLength: 0 })
  winners.head = head
  for (const opId of beaten) winners.byOpId.delete(opId)
}

function keep(recent: Recent, block: Block) {
  for (const entry of block.log) {
    block.winners.byOpId.set(entry.opId, entry)
    block.textLength += entry.pk.length + entry.hlc.length + entry.deviceId.length + (entry.payload?.length ?? 0)
  }
  recent.blocks.push(block)
  recent.ops += block.log.length
  recent.textLength += block.textLength
  while (recent.ops > maxRecentOps || recent.textLength > maxRecentTextLength) forgetOldest(recent)
}

function forgetOldest(recent: Recent) {
  const { winners, log, textLength } = recent.blocks[recent.oldest]!
  for (const { opId } of log) winners.byOpId.delete(opId)
  // Not where others have taken its place since a clean-up.
  if (winners.byOpId.size === 0 && recent.workspaces.get(winners.workspaceId) === winners) recent.workspaces.delete(winners.workspaceId)
  recent.ops -= log.length
  recent.textLength -= textLength
  recent.blocks[recent.oldest++] = undefined
  if (recent.oldest <= maxRecentOps) return
  recent.blocks = recent.blocks.slice(recent.oldest)
  recent.oldest = 0
}

/** For whoever drops winners from the log: what it no longer knows must not be known here. */
export function forgetWorkspace(database: SyncDatabase, workspaceId: string): void {
  recents.get(database)?.workspaces.delete(workspaceId)
}

/** The answer of a batch that is known whole; undefined where the database must be asked. */
export function answerRepeat(database: SyncDatabase, caller: Caller, ops: readonly IncomingOp[]): PushResult | undefined {
  const winners = recents.get(database)?.workspaces.get(caller.workspaceId)
  if (!winners || ops.length < leastKeptOps) return undefined
  const results: PushResultItem[] = []
  for (const op of ops) {
    const entry = winners.byOpId.get(op.stamp.opId)
    if (!entry || !isRepeat(entry, op, caller)) return undefined
    const { opId, tableName, operation, serverVersion } = entry
    results.push({ opId, tableName, operation, success: true, serverVersion, replayed: true, applied: true })
  }
  return { results, serverVersion: winners.head }
}

/** It was admitted then, so its shape need not be checked again; whose the row is, must. */
function isRepeat(entry: LogEntry, { tableName, operation, pk, payload, stamp }: IncomingOp, { userId }: Caller): boolean {
  return (entry.ownerUserId === null || entry.ownerUserId === userId)
    && entry.tableName === tableName && entry.pk === pk && entry.operation === operation
    && entry.clock === stamp.clock && entry.hlc === stamp.hlc && entry.deviceId === stamp.deviceId
    && isSamePayload(entry.payload, payload)
}

/** Letter by letter: with its keys in another order a repeat goes the whole way. */
function isSamePayload(text: string | null, payload: unknown): boolean {
  if (payload === undefined || payload === null) return text === null
  return text !== null && !isDeeperThan(payload, maxPayloadDepth) && JSON.stringify(payload) === text
}
