/** What sync tests share: an event with a session, ops that are right unless told otherwise, a clock to turn. */
import { randomUUID } from 'node:crypto'
import type { H3Event } from 'h3'
import { onTestFinished, vi } from 'vitest'
import type {
  ChangeStamp, PendingOp, PullResponse, SnapshotItem, SnapshotResponse, SyncChange,
} from '../../shared/protocol.ts'
import type { SyncGatewayAdapter } from '../../server/host/sync-adapter/types.ts'

export const workspaceId = 'workspace-1'
export const scope = { workspaceId }

/** The host's seven tables. */
export const tableNames = ['threads', 'messages', 'projects', 'posts', 'kv', 'file_meta', 'notifications']

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

/** Turns only `Date`: timers and the monotonic clock go on. */
export function startClock(startAt = new Date('2026-01-01T00:00:00Z')) {
  vi.useFakeTimers({ toFake: ['Date'], now: startAt })
  onTestFinished(() => {
    vi.useRealTimers()
  })
  return {
    advance: (seconds: number) => vi.setSystemTime(Date.now() + seconds * 1000),
  }
}

export function stampOf(stamp: Partial<ChangeStamp> = {}): ChangeStamp {
  return { deviceId: 'device-1', opId: randomUUID(), hlc: '0mk3n1abc:000:device01', clock: 1, ...stamp }
}

const times = { deleted: false, created_at: 1_760_000_000, updated_at: 1_760_000_000, clock: 1 }

/** A payload that the table of each name takes. */
export const payloads = {
  threads: (id: string, more: object = {}) => ({ id, title: `Thread ${id}`, status: 'ready', pinned: false, ...times, ...more }),
  messages: (id: string, more: object = {}) => ({
    id, thread_id: 'thread-1', role: 'user', index: 0, order_key: '0mk3n1abc:000:device01', ...times,
    data: { content: `Message ${id}` }, ...more,
  }),
  projects: (id: string, more: object = {}) => ({ id, name: `Project ${id}`, data: [], ...times, ...more }),
  posts: (id: string, more: object = {}) => ({ id, title: `Post ${id}`, content: '', post_type: 'doc', ...times, ...more }),
  kv: (id: string, more: object = {}) => ({ id, name: id.replace('kv:', ''), value: null, ...times, ...more }),
  file_meta: (hash: string, more: object = {}) => ({ hash, name: 'a.png', mime_type: 'image/png', ...times, ...more }),
  notifications: (id: string, more: object = {}) => ({ id, user_id: 'user-1', type: 'info', title: 'Done', ...times, ...more }),
}

export const messageOf = payloads.messages

interface OpOptions { tableName?: string | undefined, payload?: unknown, stamp?: Partial<ChangeStamp> | undefined }

export function putOf(pk: string, { payload, stamp, tableName = 'messages' }: OpOptions = {}): PendingOp {
  const make = Object.hasOwn(payloads, tableName) ? payloads[tableName as keyof typeof payloads] : messageOf
  return opOf({ tableName, operation: 'put', pk, payload: payload ?? make(pk), stamp: stampOf(stamp) })
}

export function deleteOf(pk: string, { stamp, tableName = 'messages', payload }: OpOptions = {}): PendingOp {
  return opOf({ tableName, operation: 'delete', pk, payload, stamp: stampOf(stamp) })
}

function opOf(op: Pick<PendingOp, 'tableName' | 'operation' | 'pk' | 'payload' | 'stamp'>): PendingOp {
  return { id: randomUUID(), createdAt: 1_760_000_000_000, attempts: 0, status: 'pending', ...op }
}

/** The change that `op` becomes at `serverVersion`. */
export function changeOf({ tableName, pk, operation, payload, stamp }: PendingOp, serverVersion: number): SyncChange {
  return { serverVersion, tableName, pk, op: operation, ...payload === undefined ? {} : { payload }, stamp }
}

interface PullAllOptions {
  cursor?: number | undefined
  limit?: number | undefined
  tables?: string[] | undefined
  /** Without it a page leaves out what another change of it supersedes. */
  history?: boolean | undefined
  as?: H3Event | undefined
  workspace?: string | undefined
}

/** Pulls page by page to the head, the whole history by default; the answer is the last page's with all changes. */
export async function pullAll(adapter: SyncGatewayAdapter, options: PullAllOptions = {}): Promise<PullResponse> {
  const { cursor = 0, limit = 1000, tables, history = true, as = event, workspace = workspaceId } = options
  const changes: SyncChange[] = []
  for (let at = cursor; ;) {
    const page = await adapter.pull(as, { scope: { workspaceId: workspace }, cursor: at, limit, tables, history })
    changes.push(...page.changes)
    if (!page.hasMore) return { ...page, changes }
    if (page.nextCursor <= at) throw new Error(`The cursor stands still at ${at}`)
    at = page.nextCursor
  }
}

type Snapshotting = Pick<Required<SyncGatewayAdapter>, 'snapshot'>

interface SnapshotAllOptions {
  pageSize?: number | undefined
  tables?: string[] | undefined
  as?: H3Event | undefined
  workspace?: string | undefined
  between?: (() => Promise<unknown>) | undefined
}

/** A whole snapshot; `between` runs after every page but the last. */
export async function snapshotAll(adapter: Snapshotting, options: SnapshotAllOptions = {}): Promise<SnapshotResponse> {
  const { pageSize = 1000, tables, as = event, workspace = workspaceId, between } = options
  const items: SnapshotItem[] = []
  for (let pageToken: string | undefined; ;) {
    const page = await adapter.snapshot(as, { scope: { workspaceId: workspace }, pageSize, tables, pageToken })
    items.push(...page.items)
    if (page.nextPageToken === null) return { ...page, items }
    if (page.nextPageToken === pageToken || items.length > 100_000) throw new Error('The snapshot does not come to an end')
    pageToken = page.nextPageToken
    await between?.()
  }
}
