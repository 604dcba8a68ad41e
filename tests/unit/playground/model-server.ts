/**
 * The protocol as a Map and a list: what a replica may expect of any server, small enough to be checked by reading.
 * Faults are asked for by name, so that a test says what goes wrong instead of how.
 */
import { compareRevisions } from '../../../.playground/app/sync/revision.ts'
import { TransportError } from '../../../.playground/app/sync/transport.ts'
import type {
  PendingOp,
  PullRequest,
  PullResponse,
  PushBatch,
  PushReceipt,
  SnapshotItem,
  SnapshotRequest,
  SnapshotResponse,
  SyncChange,
  Transport,
  UpdateCursorRequest,
} from '../../../.playground/app/sync/wire.ts'

export interface ModelServer {
  transport: Transport
  log: SyncChange[]
  calls: { push: PushBatch[], pull: PullRequest[], updateCursor: UpdateCursorRequest[], snapshot: SnapshotRequest[] }
  /** Runs before each request; throwing is the request that never arrived. */
  before: (route: keyof ModelServer['calls']) => void
  /** Runs after each request took effect; throwing is the answer that got lost. */
  after: (route: keyof ModelServer['calls']) => void
  refuse: (op: PendingOp) => Pick<PushReceipt, 'error' | 'errorCode'> | undefined
  /** Lets a test hand out changes in any order within a page. */
  arrange: (changes: SyncChange[]) => SyncChange[]
  /** Cursors below this are told to take a snapshot. */
  horizon: number
}

export function createModelServer(workspaceId = 'w1'): ModelServer {
  const winners = new Map<string, SyncChange>()
  const server: ModelServer = {
    transport: {} as Transport,
    log: [],
    calls: { push: [], pull: [], updateCursor: [], snapshot: [] },
    before: () => {},
    after: () => {},
    refuse: () => undefined,
    arrange: changes => changes,
    horizon: 0,
  }

  const accept = (op: PendingOp): PushReceipt => {
    const { opId } = op.stamp
    const known = server.log.find(change => change.stamp.opId === opId)
    if (known) return { opId, success: true, serverVersion: known.serverVersion, replayed: true }
    const refusal = server.refuse(op)
    if (refusal) return { opId, success: false, ...refusal }
    const serverVersion = server.log.length + 1
    const { tableName, pk, operation, payload, stamp } = structuredClone(op)
    const change = { serverVersion, tableName, pk, op: operation, payload, stamp }
    server.log.push(change)
    const held = winners.get(`${tableName}/${pk}`)
    const applied = !held || compareRevisions(stamp, held.stamp) > 0
    if (applied) winners.set(`${tableName}/${pk}`, change)
    return { opId, success: true, serverVersion, applied }
  }

  const pull = ({ cursor, limit, tables }: PullRequest): PullResponse => {
    if (cursor < server.horizon || cursor > server.log.length) {
      return { changes: [], nextCursor: cursor, hasMore: false, requiresSnapshot: true }
    }
    const page = server.log.slice(cursor, cursor + limit)
    const nextCursor = cursor + page.length
    const changes = server.arrange(page.filter(change => !tables || tables.includes(change.tableName)))
    return { changes: structuredClone(changes), nextCursor, hasMore: nextCursor < server.log.length }
  }

  const snapshot = ({ pageSize, pageToken = '0' }: SnapshotRequest): SnapshotResponse => {
    const from = Number(pageToken)
    const items = [...winners.values()].map(describeWinner)
    const end = from + pageSize
    return {
      workspaceId,
      snapshotId: 's1',
      highWatermark: server.log.length,
      items: structuredClone(items.slice(from, end)),
      nextPageToken: end < items.length ? String(end) : null,
    }
  }

  const handle
    = <Q, A>(route: keyof ModelServer['calls'], answer: (request: Q) => A) =>
      async (request: Q) => {
        server.before(route)
        ;(server.calls[route] as Q[]).push(structuredClone(request))
        const result = answer(request)
        server.after(route)
        return result
      }

  server.transport = {
    push: handle('push', ({ ops }: PushBatch) => ({ results: ops.map(accept), serverVersion: server.log.length })),
    pull: handle('pull', pull),
    updateCursor: handle('updateCursor', (_request: UpdateCursorRequest) => ({ ok: true })),
    snapshot: handle('snapshot', snapshot),
  }
  return server
}

export function loseConnection(): never {
  throw new TransportError(0, 'No answer.', { code: 'NETWORK_ERROR' })
}

function describeWinner({ tableName, pk, op, payload, stamp }: SyncChange): SnapshotItem {
  const revision = { clock: stamp.clock, hlc: stamp.hlc, opId: stamp.opId }
  if (op === 'put') return { kind: 'row', tableName, pk, payload: payload ?? {}, revision }
  return { kind: 'tombstone', tableName, pk, revision, serverDeletedAt: 0 }
}
