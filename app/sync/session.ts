/**
 * Who is signed in, as the browser knows it. The server's render resolves it with the request's own rights and sends it
 * along in the payload. A page without that asks `/api/auth/session`. The last session and its workspaces are remembered
 * in the browser, so that an app opens offline.
 */
import type { WorkspaceRole, WorkspacesAnswer } from '../../shared/answers.ts'

/** A signed-in user and the workspace that a new device opens first. */
export interface SyncSession {
  user: { id: string, email?: string | undefined, displayName?: string | undefined }
  workspace: { id: string, name: string }
  /** In that workspace; `useSyncWorkspace().role` is the one in the workspace that is open. */
  role: WorkspaceRole
}

/** A workspace of the user, as `GET /api/workspaces` lists it. */
export type SyncWorkspace = WorkspacesAnswer['workspaces'][number]

/** What goes with each request, such as a bearer token; a function is asked each time. */
export type RequestHeaders = Record<string, string> | (() => Record<string, string> | Promise<Record<string, string>>)

const sessionKey = 'or3-sync:session'
const workspacesKey = 'or3-sync:workspaces'

/** Asks routes of the layer with the page's cookies; with a body by POST. Throws an `Error` where one refuses. */
export function createCall(headers: RequestHeaders = {}) {
  return async function call<T>(path: string, body?: object): Promise<T> {
    const response = await fetch(path, {
      credentials: 'same-origin',
      headers: {
        accept: 'application/json', ...body && { 'content-type': 'application/json' },
        ...typeof headers === 'function' ? await headers() : headers,
      },
      ...body && { method: 'POST', body: JSON.stringify(body) },
    })
    if (!response.ok) throw new Refusal(path, response.status)
    return await response.json() as T
  }
}

/** The server has answered, and not with what was asked for. */
export class Refusal extends Error {
  readonly status: number

  constructor(path: string, status: number) {
    super(`${path}: the server answers ${status}.`)
    this.name = 'Refusal'
    this.status = status
  }
}

/** The session of the last visit, or null. */
export const recallSession = (): SyncSession | null => recall<SyncSession>(sessionKey)

/** Remembers the session for a start without a network; null forgets it, and the workspaces. */
export function rememberSession(session: SyncSession | null): void {
  remember(sessionKey, session)
  if (!session) remember(workspacesKey, null)
}

/** The workspaces of the user at the last visit. */
export function recallWorkspaces(userId: string): readonly SyncWorkspace[] {
  const known = recall<{ userId: string, workspaces: SyncWorkspace[] }>(workspacesKey)
  return known?.userId === userId ? known.workspaces : []
}

/** Remembers the user's workspaces for a start without a network. */
export function rememberWorkspaces(userId: string, workspaces: readonly SyncWorkspace[]): void {
  remember(workspacesKey, { userId, workspaces })
}

function recall<T>(key: string): T | null {
  try {
    return JSON.parse(localStorage.getItem(key) ?? 'null') as T | null
  }
  catch {
    // Storage that is blocked, or holds something else, remembers nobody.
    return null
  }
}

function remember(key: string, value: object | null): void {
  try {
    if (value) localStorage.setItem(key, JSON.stringify(value))
    else localStorage.removeItem(key)
  }
  catch {
    // Without storage the app works, but does not open offline.
  }
}
