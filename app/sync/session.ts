/**
 * Who is signed in, as the browser knows it. The server's render resolves it with the request's own rights and sends it
 * along in the payload. A page without that asks `/api/auth/session`. The last session and its workspaces are kept in
 * the browser, so that an app opens offline.
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

const rememberedKey = 'or3-sync:session'

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
    if (!response.ok) throw new Error(`${path}: the server answers ${response.status}.`)
    return await response.json() as T
  }
}

/** What a browser remembers of the last visit. */
export interface Visit {
  session: SyncSession
  workspaces: readonly SyncWorkspace[]
}

/** The last visit, or null. */
export function recallVisit(): Visit | null {
  try {
    return JSON.parse(localStorage.getItem(rememberedKey) ?? 'null') as Visit | null
  }
  catch {
    // Storage that is blocked, or holds something else, remembers nobody.
    return null
  }
}

/** Remembers the visit for a start without a network; null forgets it. */
export function rememberVisit(visit: Visit | null): void {
  try {
    if (visit) localStorage.setItem(rememberedKey, JSON.stringify(visit))
    else localStorage.removeItem(rememberedKey)
  }
  catch {
    // Without storage the app works, but does not open offline.
  }
}
