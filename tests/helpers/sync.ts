/** What sync tests share: an event with a session, ops that are right unless told otherwise. */
import { randomUUID } from 'node:crypto'
import type { H3Event } from 'h3'
import type { ChangeStamp, PendingOp } from '../../server/sync/gateway/types.ts'

export const workspaceId = 'workspace-1'
export const scope = { workspaceId }

/** An event as a host hands it over: only its context is looked at. */
export function eventOf(userId: string, workspace = workspaceId): H3Event {
  return {
    context: {
      '__or3_session_context_request-1_test': {
        authenticated: true, provider: 'test', providerUserId: userId, user: { id: userId }, workspace: { id: workspace, name: workspace }, role: 'owner',
      },
    },
  } as unknown as H3Event
}

/** The event of a maintenance job: empty. */
export const emptyEvent = {} as unknown as H3Event

export const event = eventOf('user-1')

export function stampOf(stamp: Partial<ChangeStamp> = {}): ChangeStamp {
  return { deviceId: 'device-1', opId: randomUUID(), hlc: '0mk3n1abc:000:device01', clock: 1, ...stamp }
}

export function messageOf(id: string, more: object = {}) {
  return {
    id, thread_id: 'thread-1', role: 'user', index: 0, order_key: '0mk3n1abc:000:device01', deleted: false,
    created_at: 1_760_000_000, updated_at: 1_760_000_000, clock: 1, data: { content: `Message ${id}` }, ...more,
  }
}

export function putOf(pk: string, { payload, stamp, tableName = 'messages' }: { payload?: unknown, stamp?: Partial<ChangeStamp>, tableName?: string } = {}): PendingOp {
  return opOf({ tableName, operation: 'put', pk, payload: payload ?? messageOf(pk), stamp: stampOf(stamp) })
}

export function deleteOf(pk: string, { stamp, tableName = 'messages', payload }: { stamp?: Partial<ChangeStamp>, tableName?: string, payload?: unknown } = {}): PendingOp {
  return opOf({ tableName, operation: 'delete', pk, payload, stamp: stampOf(stamp) })
}

function opOf(op: Pick<PendingOp, 'tableName' | 'operation' | 'pk' | 'payload' | 'stamp'>): PendingOp {
  return { id: randomUUID(), createdAt: 1_760_000_000_000, attempts: 0, status: 'pending', ...op }
}
