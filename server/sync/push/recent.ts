/**
 * The ops that this process committed last and that are still the winners of their keys, so that a batch which comes
 * again, because its answer was lost, is answered without the database: a sixth of the time, and no turn of the one
 * writer. A batch with anything else in it goes the whole way, where the log decides. One process owns the file, so
 * nothing changes behind it. Upholds P2.
 */
import type { SyncDatabase } from '../../db/open.ts'
import type { Caller } from '../caller.ts'
import type { PushResult, PushResultItem } from '../gateway/types.ts'
import { isDeeperThan } from '../json.ts'
import { maxPayloadDepth, maxRecentOps, maxRecentPayloadLength } from '../limits.ts'
import type { IncomingOp } from './admit.ts'
import type { LogEntry, Merge } from './merge.ts'

interface Recent {
  workspaces: Map<string, Winners>
  /** What was kept together goes together, oldest first. */
  blocks: Set<Block>
  ops: number
  payloadLength: number
}

interface Winners { workspaceId: string, head: number, byOpId: Map<string, LogEntry> }
interface Block { winners: Winners, log: readonly LogEntry[], payloadLength: number }

const recents = new WeakMap<SyncDatabase, Recent>()

/** After the commit, in the order of the versions; what comes out of turn is not kept. */
export function remember(database: SyncDatabase, { workspaceId }: Caller, { log, beaten, head }: Merge): void {
  if (log.length === 0) return
  let recent = recents.get(database)
  if (!recent) recents.set(database, recent = { workspaces: new Map(), blocks: new Set(), ops: 0, payloadLength: 0 })
  let winners = recent.workspaces.get(workspaceId)
  if (!winners) recent.workspaces.set(workspaceId, winners = { workspaceId, head: 0, byOpId: new Map() })
  if (head > winners.head) {
    const block = { winners, log, payloadLength: 0 }
    for (const entry of log) {
      winners.byOpId.set(entry.opId, entry)
      block.payloadLength += entry.payload?.length ?? 0
    }
    winners.head = head
    recent.blocks.add(block)
    recent.ops += log.length
    recent.payloadLength += block.payloadLength
  }
  for (const opId of beaten) winners.byOpId.delete(opId)
  for (const oldest of recent.blocks) {
    if (recent.ops <= maxRecentOps && recent.payloadLength <= maxRecentPayloadLength) break
    forget(recent, oldest)
  }
}

function forget(recent: Recent, block: Block) {
  const { workspaceId, byOpId } = block.winners
  for (const { opId } of block.log) byOpId.delete(opId)
  if (byOpId.size === 0) recent.workspaces.delete(workspaceId)
  recent.blocks.delete(block)
  recent.ops -= block.log.length
  recent.payloadLength -= block.payloadLength
}

/** For whoever drops winners from the log: what it no longer knows must not be known here. */
export function forgetWorkspace(database: SyncDatabase, workspaceId: string): void {
  recents.get(database)?.workspaces.delete(workspaceId)
}

/** The answer of a batch that is known whole; undefined where the database must be asked. */
export function answerRepeat(database: SyncDatabase, caller: Caller, ops: readonly IncomingOp[]): PushResult | undefined {
  const winners = recents.get(database)?.workspaces.get(caller.workspaceId)
  if (!winners || ops.length === 0) return undefined
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
