/** A client of a served layer: who it is stands in one header, which is the app's own way of signing in. */
import type { PendingOp, PullResponse, PushResult } from '../../shared/protocol.ts'
import type { RunningServer } from '../helpers/server.ts'

export interface Client {
  request(path: string, init?: { method?: string, body?: unknown }): Promise<Response>
  /** The active workspace's id; makes user and workspace at the first call. */
  workspaceId(): Promise<string>
  push(workspaceId: string, ops: PendingOp[]): Promise<PushResult>
  pull(workspaceId: string, cursor: number, limit?: number): Promise<PullResponse>
}

/** `name` undefined is nobody. */
export function createClient(server: Pick<RunningServer, 'fetch'>, header: string, name?: string): Client {
  const request: Client['request'] = (path, { method, body } = {}) => server.fetch(path, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: { 'content-type': 'application/json', ...name !== undefined && { [header]: name } },
    ...body !== undefined && { body: JSON.stringify(body) },
  })
  return {
    request,
    async workspaceId() {
      const { session } = await readAnswer<{ session: { workspace: { id: string } } }>(await request('/api/auth/session'))
      return session.workspace.id
    },
    push: async (workspaceId, ops) => readAnswer(await request('/api/sync/push', { body: { scope: { workspaceId }, ops } })),
    pull: async (workspaceId, cursor, limit = 100) =>
      readAnswer(await request('/api/sync/pull', { body: { scope: { workspaceId }, cursor, limit } })),
  }
}

/** The answer's JSON. Throws where it is no success. */
export async function readAnswer<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error(`${response.status} from ${response.url}: ${await response.text()}`)
  return await response.json() as T
}
