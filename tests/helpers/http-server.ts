/**
 * The routes on a real HTTP server and a real database, without a Nuxt build. The header `x-user` signs a request in: the
 * test's auth provider believes it. Every user has a workspace.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createApp, createRouter, getRequestHeader, toNodeListener, type EventHandler, type RouterMethod } from 'h3'
import { onTestFinished } from 'vitest'
import unknownPath from '../../server/api/[...].ts'
import acceptInvite from '../../server/api/invites/accept.post.ts'
import getSession from '../../server/api/auth/session.get.ts'
import gcChangeLog from '../../server/api/sync/gc-change-log.post.ts'
import gcTombstones from '../../server/api/sync/gc-tombstones.post.ts'
import live from '../../server/api/sync/live.get.ts'
import pull from '../../server/api/sync/pull.post.ts'
import push from '../../server/api/sync/push.post.ts'
import snapshot from '../../server/api/sync/snapshot.post.ts'
import updateCursor from '../../server/api/sync/update-cursor.post.ts'
import removeWorkspace from '../../server/api/workspaces/[id].delete.ts'
import updateWorkspace from '../../server/api/workspaces/[id].patch.ts'
import revokeInviteLink from '../../server/api/workspaces/[id]/invite-links/[linkId].delete.ts'
import listInviteLinks from '../../server/api/workspaces/[id]/invite-links/index.get.ts'
import createInviteLink from '../../server/api/workspaces/[id]/invite-links/index.post.ts'
import revokeInvite from '../../server/api/workspaces/[id]/invites/[inviteId].delete.ts'
import listInvites from '../../server/api/workspaces/[id]/invites/index.get.ts'
import createInvite from '../../server/api/workspaces/[id]/invites/index.post.ts'
import removeMember from '../../server/api/workspaces/[id]/members/[userId].delete.ts'
import setMemberRole from '../../server/api/workspaces/[id]/members/[userId].patch.ts'
import listMembers from '../../server/api/workspaces/[id]/members/index.get.ts'
import setActiveWorkspace from '../../server/api/workspaces/active.post.ts'
import listWorkspaces from '../../server/api/workspaces/index.get.ts'
import createWorkspace from '../../server/api/workspaces/index.post.ts'
import { registerAuthProvider, type AuthProvider } from '../../server/auth/provider.ts'
import type { SyncDatabase } from '../../server/database/types.ts'
import type { SignedInSession } from '../../server/auth/session-context.ts'
import { createAuthWorkspaceStore } from '../../server/host/auth-store.ts'
import { guardApp } from '../../server/http/admission.ts'
import { registerAuthWorkspaceStore } from '../../server/workspaces/store/registry.ts'
import { readDatabaseConfig } from '../../server/config/database.ts'
import { startLayer, stopLayer, useSyncDatabase } from '../../server/layer.ts'
import { configureSync, type SyncSettingsInput } from '../../server/config/sync.ts'
import { layerMigrations, makeTempFolder } from './database.ts'

const routes: [method: RouterMethod, path: string, handler: EventHandler][] = [
  ['get', '/api/auth/session', getSession],
  ['get', '/api/workspaces', listWorkspaces],
  ['post', '/api/workspaces', createWorkspace],
  ['post', '/api/workspaces/active', setActiveWorkspace],
  ['patch', '/api/workspaces/:id', updateWorkspace],
  ['delete', '/api/workspaces/:id', removeWorkspace],
  ['get', '/api/workspaces/:id/members', listMembers],
  ['patch', '/api/workspaces/:id/members/:userId', setMemberRole],
  ['delete', '/api/workspaces/:id/members/:userId', removeMember],
  ['get', '/api/workspaces/:id/invites', listInvites],
  ['post', '/api/workspaces/:id/invites', createInvite],
  ['delete', '/api/workspaces/:id/invites/:inviteId', revokeInvite],
  ['get', '/api/workspaces/:id/invite-links', listInviteLinks],
  ['post', '/api/workspaces/:id/invite-links', createInviteLink],
  ['delete', '/api/workspaces/:id/invite-links/:linkId', revokeInviteLink],
  ['post', '/api/invites/accept', acceptInvite],
  ['post', '/api/sync/push', push],
  ['post', '/api/sync/pull', pull],
  ['post', '/api/sync/snapshot', snapshot],
  ['post', '/api/sync/update-cursor', updateCursor],
  ['post', '/api/sync/gc-change-log', gcChangeLog],
  ['post', '/api/sync/gc-tombstones', gcTombstones],
]

/** The names of the sync routes under `/api/sync/`. */
export const syncRouteNames = routes.flatMap(([, path]) => path.startsWith('/api/sync/') ? [path.slice('/api/sync/'.length)] : [])

export const routeNames = routes.map(([method, path]) => `${method.toUpperCase()} ${path}`)

/** Driver text or SQL, whoever words it. */
export const driverText = /sqlite|libsql|drizzle|constraint|Failed query|\b(select|insert|update|delete)\b.+\b(from|into|set|where)\b/i

export interface Answer<T = unknown> { status: number, text: string, body: T, headers: Headers }
export interface SyncAnswer extends Answer<Record<string, unknown>> { tookMs: number }
export interface SessionAnswer { session: SignedInSession }
export interface CallOptions {
  as?: string | undefined
  /** Sent as JSON; a text or bytes as they are. */
  body?: unknown
  headers?: Record<string, string>
}

const believeHeader: AuthProvider = {
  getSession(event) {
    const id = getRequestHeader(event, 'x-user')
    if (!id) return null
    return { user: { id, email: `${id}@example.org`, displayName: `Name of ${id}` } }
  },
}

interface ServeOptions {
  provider?: AuthProvider
  limits?: SyncSettingsInput
  /** Of a database server, by whose clock all goes; a file of its own where it is left out. */
  databaseUrl?: string | undefined
}

export async function serveRoutes({ provider = believeHeader, limits = { rateLimits: false }, databaseUrl }: ServeOptions = {}) {
  const database = await openLayer(limits, databaseUrl)
  const store = createAuthWorkspaceStore(useSyncDatabase)
  registerAuthWorkspaceStore({ id: 'sqlite', create: () => createAuthWorkspaceStore(useSyncDatabase) })
  registerAuthProvider({ id: 'test', create: () => provider })
  const router = createRouter()
  for (const [method, path, handler] of routes) router.use(path, handler, method)
  // Its answer does not end; tests/unit/live asks for it.
  router.get('/api/sync/live', live)
  router.use('/api/**', unknownPath)
  const app = createApp({
    onError: (error, event) => {
      event.node.res.statusCode = error.statusCode
      event.node.res.setHeader('Content-Type', 'application/json')
      event.node.res.end(JSON.stringify({ statusCode: error.statusCode, message: error.message, data: error.data, cause: String(error.cause) }))
    },
  }).use(router)
  guardApp(app)
  const server = createServer(toNodeListener(app)).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  async function call<T>(route: string, { as, body, headers = {} }: CallOptions = {}): Promise<Answer<T>> {
    const [method, path] = route.split(' ', 2)
    const response = await fetch(`${origin}${path}`, {
      method: method!,
      headers: { ...(as && { 'x-user': as }), ...headers },
      ...body !== undefined && { body: typeof body === 'string' || body instanceof Uint8Array ? body as BodyInit : JSON.stringify(body) },
    })
    const text = await response.text()
    return { status: response.status, text, body: text === '' ? {} as T : JSON.parse(text), headers: response.headers }
  }

  /** Signs in for the first time and answers the internal user and workspace id. */
  async function meet(as: string) {
    const { body: { session } } = await call<SessionAnswer>('GET /api/auth/session', { as })
    return { userId: session.user.id, workspaceId: session.workspace.id }
  }

  /** A sync request of `ann`, unless the headers say otherwise; `tookMs` counts to the end of the answer. */
  async function post(route: string, body: unknown, headers: Record<string, string> = {}): Promise<SyncAnswer> {
    const startedAt = performance.now()
    const answer = await call<Record<string, unknown>>(`POST /api/sync/${route}`, {
      as: 'ann', body, headers: { 'content-type': 'application/json', ...headers },
    })
    return { ...answer, tookMs: performance.now() - startedAt }
  }

  return { database, store, origin, call, meet, post }
}

/** The layer as the server's start opens it, for the routes that ask for it themselves. */
async function openLayer(limits: SyncSettingsInput, url: string | undefined): Promise<SyncDatabase> {
  const env = { OR3_SQLITE_DB_PATH: `${await makeTempFolder()}/sync.db`, OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'NORMAL' }
  configureSync(limits)
  startLayer(() => url === undefined ? readDatabaseConfig(env) : { url, synchronous: 'FULL' }, { layer: layerMigrations, app: [] }, (sentence) => {
    throw new Error(sentence)
  })
  onTestFinished(async () => {
    await stopLayer()
    configureSync()
  })
  return useSyncDatabase()
}

export type TestServer = Awaited<ReturnType<typeof serveRoutes>>
