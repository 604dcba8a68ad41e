/**
 * Who is signed in, as the browser knows it. The server's render resolves it with the request's own rights and sends it
 * along in the payload. A page without that asks `/api/auth/session`. The last session is remembered in the browser, so
 * that an app opens offline.
 */

/** A signed-in user and the workspace that a new device opens first. */
export interface SyncSession {
  user: { id: string, email?: string | undefined, displayName?: string | undefined }
  workspace: { id: string, name: string }
  role: string
}

/** A workspace of the user, as `GET /api/workspaces` lists it. */
export interface SyncWorkspace {
  id: string
  name: string
  description: string | null
  role: string
  isActive: boolean
}

const rememberedKey = 'or3-sync:session'

/** Asks a route of the layer with the page's cookies; with a body by POST. Throws an `Error` where it refuses. */
export async function callLayer<T>(path: string, body?: object): Promise<T> {
  const response = await fetch(path, {
    credentials: 'same-origin',
    headers: { accept: 'application/json', ...body && { 'content-type': 'application/json' } },
    ...body && { method: 'POST', body: JSON.stringify(body) },
  })
  if (!response.ok) throw new Error(`${path}: the server answers ${response.status}.`)
  return await response.json() as T
}

/** The session of the last visit, or null. */
export function recallSession(): SyncSession | null {
  try {
    return JSON.parse(localStorage.getItem(rememberedKey) ?? 'null') as SyncSession | null
  }
  catch {
    // Storage that is blocked, or holds something else, remembers nobody.
    return null
  }
}

/** Remembers the session for a start without a network; null forgets it. */
export function rememberSession(session: SyncSession | null): void {
  try {
    if (session) localStorage.setItem(rememberedKey, JSON.stringify(session))
    else localStorage.removeItem(rememberedKey)
  }
  catch {
    // Without storage the app works, but does not open offline.
  }
}
