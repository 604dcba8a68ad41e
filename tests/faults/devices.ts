/** Devices that push random ops on few keys, so that they outdo each other, and send again what got no answer. */
import { randomInt, randomUUID } from 'node:crypto'
import type { PendingOp, PullResponse, PushResult } from '../../shared/protocol.ts'
import type { Ledger } from './ledger.ts'

export interface Device {
  user: string
  workspaceId: string
  deviceId: string
  /** Sent without an answer: goes again with the next push. */
  outbox: PendingOp[]
}

const keysPerWorkspace = 40
const maxOpsPerPush = 8

/** Devices of two users in turn, so of two workspaces. */
export async function signIn(url: string, count: number): Promise<Device[]> {
  return Promise.all(Array.from({ length: count }, async (_, index) => {
    const user = `user-${index % 2}`
    const { session } = await call<{ session: { workspace: { id: string } } }>(url, user, '/api/auth/session')
    return { user, workspaceId: session.workspace.id, deviceId: `device-${index}`, outbox: [] }
  }))
}

/** Pushes one batch and notes the answer. Throws where there was none. */
export async function pushOnce(url: string, device: Device, ledger: Ledger, count = randomInt(1, maxOpsPerPush + 1)): Promise<number> {
  const fresh = Array.from({ length: count }, () => makeOp(device))
  ledger.sent(device.workspaceId, fresh)
  device.outbox.push(...fresh)
  const ops = device.outbox.slice(0, 50)
  const { results } = await call<PushResult>(url, device.user, '/api/sync/push', { scope: { workspaceId: device.workspaceId }, ops })
  ledger.told(device.workspaceId, results)
  device.outbox.splice(0, ops.length)
  return ops.length
}

export function pullOnce(url: string, { user, workspaceId }: Device, cursor: number): Promise<PullResponse> {
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
