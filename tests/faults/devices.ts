/**
 * Devices of the layer's own client, in memory, that write random ops on few keys, so that they outdo each other. What
 * they send and are told is noted on the way to the server, outside of the client: the ledger depends on nothing of it.
 */
import { randomInt, randomUUID } from 'node:crypto'
import {
  createHttpTransport, createMemoryStorage, createSyncClient, type SyncReport, type SyncStore, type Transport,
} from '../../client/index.ts'
import type { PendingOp, PullResponse } from '../../shared/protocol.ts'
import type { Ledger } from './ledger.ts'

export type Url = string | (() => string)

/** What is told of the ops that pass, such as a ledger. */
export type Witness = Pick<Ledger, 'sent' | 'told'>

export interface Device {
  readonly user: string
  readonly workspaceId: string
  /** In the stamps of its ops. */
  readonly deviceId: string
  readonly store: SyncStore
  /**
   * Pushes what waits and pulls to the head. Throws where it got no answer, or one that is no success. A function is asked
   * for the server of each request, as a load balancer is.
   */
  sync(url: Url, witness?: Witness): Promise<SyncReport>
}

const keysPerWorkspace = 40
const maxOpsPerPush = 8

/** Devices of two users in turn, so of two workspaces, each with the rows that are there. */
export async function signIn(url: string, count: number, options: DeviceOptions = {}): Promise<Device[]> {
  return Promise.all(Array.from({ length: count }, async (_, index) => {
    const user = `user-${index % 2}`
    const { session } = await call<{ session: { workspace: { id: string } } }>(url, user, '/api/auth/session')
    const device = await openDevice({ user, workspaceId: session.workspace.id, deviceId: `device-${index}` }, options)
    await device.sync(url)
    return device
  }))
}

export interface DeviceOptions {
  /** A control: a device that does not take the snapshot that it is told to take. */
  ignoreSnapshot?: boolean | undefined
}

/** A device that knows nothing yet. */
export async function openDevice(
  { user, workspaceId, deviceId }: Pick<Device, 'user' | 'workspaceId' | 'deviceId'>, { ignoreSnapshot = false }: DeviceOptions = {},
): Promise<Device> {
  let way: () => Transport
  let noted: Witness | undefined
  const client = createSyncClient({
    storage: createMemoryStorage(),
    isAutomatic: false,
    transport: {
      async push(batch) {
        noted?.sent(workspaceId, batch.ops)
        const answer = await way().push(batch)
        noted?.told(workspaceId, answer.results)
        return answer
      },
      async pull(request) {
        const page = await way().pull(request)
        if (!ignoreSnapshot || !page.requiresSnapshot) return page
        return { ...page, changes: [], nextCursor: request.cursor, hasMore: false, requiresSnapshot: false }
      },
      snapshot: request => way().snapshot(request),
      updateCursor: request => way().updateCursor(request),
    },
  })
  const store = await client.open({ userId: user, workspaceId })
  // One macrotask: without other tabs it leads at once.
  await new Promise(resolve => setTimeout(resolve, 0))
  return {
    user, workspaceId, deviceId, store,
    async sync(url, witness) {
      way = () => createHttpTransport({ baseUrl: typeof url === 'string' ? url : url(), headers: { 'x-demo-user': user } })
      noted = witness
      const report = await store.sync()
      if (!report) throw new Error(`${deviceId} may not sync: ${store.status.stopped}.`)
      const { error } = report
      if (error) throw new Error(error.status > 0 ? `${error.status} ${error.message}` : error.message, { cause: error })
      return report
    },
  }
}

/** Writes some ops and syncs. Throws where there was no answer. */
export async function pushOnce(url: Url, device: Device, witness: Witness, count = randomInt(1, maxOpsPerPush + 1)): Promise<SyncReport> {
  await device.store.importOps(Array.from({ length: count }, () => makeOp(device)))
  return device.sync(url, witness)
}

/** All rows of a device, in one order. */
export function liveRows({ store }: Device): string {
  const rows = [...store.entries()].flatMap(({ table, pk, row }) => row ? [[table, pk, JSON.stringify(row)]] : [])
  return JSON.stringify(rows.sort())
}

export function pullOnce(url: string, { user, workspaceId }: Pick<Device, 'user' | 'workspaceId'>, cursor: number): Promise<PullResponse> {
  return call(url, user, '/api/sync/pull', { scope: { workspaceId }, cursor, limit: 1000 })
}

export async function call<T>(url: string, user: string, path: string, body?: object): Promise<T> {
  const response = await fetch(new URL(path, url), {
    method: body ? 'POST' : 'GET',
    headers: { 'x-demo-user': user, 'content-type': 'application/json' },
    ...body && { body: JSON.stringify(body) },
  })
  const text = await response.text()
  if (!response.ok) throw new Error(`${response.status} ${text.slice(0, 300)}`)
  return JSON.parse(text) as T
}

export function makeOp({ workspaceId, deviceId }: Pick<Device, 'workspaceId' | 'deviceId'>): PendingOp {
  const id = `thread-${workspaceId.slice(0, 4)}-${randomInt(keysPerWorkspace)}`
  const clock = randomInt(1, 200)
  const stamp = { deviceId, opId: randomUUID(), hlc: `${randomInt(1e9, 2e9)}:000:${deviceId}`, clock }
  const about = { id: stamp.opId, tableName: 'threads', pk: id, stamp, createdAt: 1_760_000_000_000, attempts: 0, status: 'pending' as const }
  if (randomInt(5) === 0) return { ...about, operation: 'delete' }
  const payload = { id, title: 'x'.repeat(randomInt(600)), status: 'ready', pinned: false, deleted: false, created_at: 1, updated_at: 1, clock }
  return { ...about, operation: 'put', payload }
}
