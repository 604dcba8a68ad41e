/** What February's and later devices have in common: a clock, local writes, the outbox, the cursor's report, clean-up. */
import { randomUUID } from 'node:crypto'
import type { PendingOp, PullResponse, PushResult, SyncOperation } from '../../../shared/protocol.ts'
import { payloads } from '../../helpers/sync.ts'
import type { Network } from './network.ts'
import { createOutbox } from './outbox.ts'

export type TableName = keyof typeof payloads

export interface DeviceOptions {
  id: string
  userId: string
  workspaceId: string
  network: Network
  /** Epoch milliseconds of a clock that the test moves. */
  now: () => number
  /** How wrong this device's own clock is. */
  skewMs?: number
}

/** The window in which the host's clients let history be cleaned up, and how often they ask for it. */
const retentionSeconds = 30 * 86_400
const cleanUpEveryMs = 600_000
/** A cursor that is older starts the device over from 0. */
export const cursorAgeMs = 86_400_000

export interface Cleaned { droppedChanges: number, droppedTombstones: number }

export function createDeviceBase({ id, userId, workspaceId, network, now, skewMs = 0 }: DeviceOptions) {
  const outbox = createOutbox()
  const scope = { workspaceId }
  const cleaned: Cleaned & { refused: number } = { droppedChanges: 0, droppedTombstones: 0, refused: 0 }
  let cleanUpDueAt = 0
  let last = { ms: 0, count: 0 }
  let written = 0

  function nextHlc(): string {
    const ms = now() + skewMs
    last = ms > last.ms ? { ms, count: 0 } : { ms: last.ms, count: last.count + 1 }
    return [last.ms.toString(36).padStart(9, '0'), last.count.toString(36).padStart(3, '0'), id.padEnd(8, '0').slice(0, 8)].join(':')
  }

  return {
    id, outbox, cleaned, network, scope, now,

    /** A local write on a row whose clock is `clock`, and the op that will tell of it. */
    write(tableName: TableName, pk: string, operation: SyncOperation, clock: number): PendingOp {
      const seconds = Math.floor(now() / 1000)
      const stamp = { deviceId: id, opId: randomUUID(), hlc: nextHlc(), clock: clock + 1 }
      const payload = operation === 'put'
        ? payloads[tableName](pk, {
            clock: stamp.clock, updated_at: seconds, edit: `${id}-${++written}`, ...tableName === 'notifications' && { user_id: userId },
          })
        : { [tableName === 'file_meta' ? 'hash' : 'id']: pk, deleted: true, deleted_at: seconds }
      const op = { id: randomUUID(), tableName, operation, pk, payload, stamp, createdAt: now(), attempts: 0, status: 'pending' }
      outbox.add(op)
      return op
    },

    async push(): Promise<readonly PendingOp[]> {
      const ops = outbox.take(now())
      if (ops.length > 0) outbox.settle(ops, await network.post<PushResult>('/api/sync/push', { scope, ops }), now())
      return ops
    },

    /** Undefined where it got no answer, or is to come again later. */
    async readPage(cursor: number, limit: number, tables?: string[]): Promise<PullResponse | undefined> {
      const answer = await network.post<PullResponse>('/api/sync/pull', { scope, cursor, limit, tables })
      if (answer?.status === 200) return answer.body
      if (answer && ![429, 503].includes(answer.status)) throw new Error(`pull: ${answer.status} ${JSON.stringify(answer.body)}`)
      return undefined
    },

    async reportCursor(version: number) {
      const answer = await network.post('/api/sync/update-cursor', { scope, deviceId: id, version })
      if (answer && ![200, 429].includes(answer.status)) throw new Error(`update-cursor: ${answer.status} ${JSON.stringify(answer.body)}`)
    },

    /** When it comes online, and every ten minutes; who is no owner is refused, which is only noted. */
    async cleanUp() {
      if (now() < cleanUpDueAt) return
      cleanUpDueAt = now() + cleanUpEveryMs
      for (const route of ['gc-tombstones', 'gc-change-log']) {
        const answer = await network.post<Cleaned>(`/api/sync/${route}`, { scope, retentionSeconds })
        if (answer?.status === 403) cleaned.refused++
        if (answer?.status !== 200) continue
        cleaned.droppedChanges += answer.body.droppedChanges
        cleaned.droppedTombstones += answer.body.droppedTombstones
      }
    },

    comeOnline() {
      cleanUpDueAt = 0
    },
  }
}
