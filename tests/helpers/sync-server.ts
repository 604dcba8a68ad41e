/**
 * The sync routes on a real HTTP server and a real database, without a Nuxt build. A request is made as somebody by
 * the header `x-user`, which the test's auth provider believes; everybody has a workspace of their own.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createApp, createRouter, type EventHandler, getRequestHeader, toNodeListener } from 'h3'
import { onTestFinished } from 'vitest'
import gcChangeLog from '../../server/api/sync/gc-change-log.post.ts'
import gcTombstones from '../../server/api/sync/gc-tombstones.post.ts'
import live from '../../server/api/sync/live.get.ts'
import pull from '../../server/api/sync/pull.post.ts'
import push from '../../server/api/sync/push.post.ts'
import snapshot from '../../server/api/sync/snapshot.post.ts'
import updateCursor from '../../server/api/sync/update-cursor.post.ts'
import { registerAuthProvider } from '../../server/auth/provider.ts'
import { createAuthWorkspaceStore } from '../../server/host/auth-store.ts'
import { registerAuthWorkspaceStore } from '../../server/workspaces/store/registry.ts'
import { readDatabaseConfig } from '../../server/config/database.ts'
import { startLayer, stopLayer, useSyncDatabase } from '../../server/layer.ts'
import { configureSync, type SyncSettingsInput } from '../../server/config/sync.ts'
import { layerMigrations, makeTempFolder } from './database.ts'

export const syncRoutes: Record<string, EventHandler> = {
  'push': push, 'pull': pull, 'snapshot': snapshot, 'update-cursor': updateCursor,
  'gc-change-log': gcChangeLog, 'gc-tombstones': gcTombstones,
}

export interface Answer { status: number, body: Record<string, unknown>, headers: Headers, tookMs: number }

export interface SyncServer {
  origin: string
  /** `body` is sent as JSON; a string or bytes as they are. */
  post(route: string, body: unknown, headers?: Record<string, string>): Promise<Answer>
  /** Signs in for the first time: whose internal id, and which workspace. */
  meet(user: string): Promise<{ userId: string, workspaceId: string }>
}

export async function serveSync({ limits = { rateLimits: false } }: { limits?: SyncSettingsInput } = {}): Promise<SyncServer> {
  configureSync(limits)
  const env = { OR3_SQLITE_DB_PATH: `${await makeTempFolder()}/sync.db`, OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'OFF' }
  startLayer(() => readDatabaseConfig(env), { layer: layerMigrations, app: [] }, (sentence) => {
    throw new Error(sentence)
  })
  const store = createAuthWorkspaceStore(useSyncDatabase)
  registerAuthWorkspaceStore({ id: 'sqlite', create: () => store })
  registerAuthProvider({ id: 'test', create: () => ({ getSession: event => findUser(getRequestHeader(event, 'x-user')) }) })

  const router = createRouter()
  for (const [name, handler] of Object.entries(syncRoutes)) router.post(`/api/sync/${name}`, handler)
  router.get('/api/sync/live', live)
  const app = createApp({
    // As nitro answers an error.
    onError: (error, event) => {
      event.node.res.statusCode = error.statusCode
      event.node.res.setHeader('Content-Type', 'application/json')
      event.node.res.end(JSON.stringify({ statusCode: error.statusCode, message: error.message, data: error.data, cause: String(error.cause) }))
    },
  })
  const server = createServer(toNodeListener(app.use(router))).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await stopLayer()
    configureSync()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    origin,
    async post(route, body, headers = {}) {
      const startedAt = performance.now()
      const response = await fetch(`${origin}/api/sync/${route}`, {
        method: 'POST',
        headers: { 'x-user': 'ann', 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' || body instanceof Uint8Array ? body as BodyInit : JSON.stringify(body),
      })
      const text = await response.text()
      return { status: response.status, body: text === '' ? {} : JSON.parse(text), headers: response.headers, tookMs: performance.now() - startedAt }
    },
    async meet(user) {
      const { userId } = await store.getOrCreateUser({ provider: 'test', providerUserId: user })
      return { userId, workspaceId: (await store.getOrCreateDefaultWorkspace(userId)).workspaceId }
    },
  }
}

function findUser(id: string | undefined) {
  return id ? { user: { id } } : null
}
