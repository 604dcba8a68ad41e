/** What the benchmark asks of an implementation: the work of a sync server after HTTP parsing, on one database file. */
import { randomUUID } from 'node:crypto'

export interface Op {
  id: string
  tableName: string
  operation: 'put'
  pk: string
  payload: Record<string, unknown>
  stamp: { deviceId: string, opId: string, hlc: string, clock: number }
  createdAt: number
  attempts: number
  status: string
}

export interface Pulled { changes: unknown[], nextCursor: number, hasMore: boolean }
export interface SnapshotPage { items: unknown[], next: string | null }

export interface Implementation {
  /** One durable push; resolves when it may be acknowledged. */
  push(ops: readonly Op[]): Promise<unknown>
  pull(cursor: number, limit: number, tables?: string[]): Promise<Pulled>
  snapshotPage(pageSize: number, next: string | null): Promise<SnapshotPage>
  /** The look-ups of one request's session: user, default workspace, role. */
  session(account: string): Promise<unknown>
  /** Drops what is superseded, yielding; where an implementation has none, the workload is skipped. */
  cleanUp?(retentionSeconds: number): Promise<unknown>
  /** Makes every change look `seconds` older, so that clean-up finds it due. */
  age?(seconds: number): Promise<void>
  close(): Promise<void>
}

export type Open = (path: string) => Promise<Implementation>

/** What the sign-in says of an account with each request. */
export const profileOf = (account: string) => ({ email: `${account}@example.org`, displayName: `Name of ${account}` })

export const workspaceId = 'bench-workspace-0001'

/** About 600 bytes of JSON: a chat message. */
const content = 'Here is what I would do: boil the water first, then "salt" it.\nThe timing matters more than the heat. '.repeat(4)
let counter = 0

export function makeOp(pk: string = randomUUID(), clock = 1, tableName = 'messages'): Op {
  const index = counter++
  const payload = tableName === 'kv'
    ? { id: pk, name: pk, value: content, created_at: 1_760_000_000, updated_at: 1_760_000_000, clock }
    : {
        id: pk, thread_id: 'thread-0001', role: 'user', index, order_key: '0mk3n1abc:000:device01', deleted: false,
        created_at: 1_760_000_000, updated_at: 1_760_000_000, clock, data: { content },
      }
  return {
    id: randomUUID(), tableName, operation: 'put', pk, payload,
    stamp: { deviceId: 'device-0001', opId: randomUUID(), hlc: '0mk3n1abc:000:device01', clock },
    createdAt: 1_760_000_000_000, attempts: 0, status: 'pending',
  }
}
