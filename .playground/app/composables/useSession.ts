/** Who is signed in and in which workspace: the layer's session, its workspaces, and the demo's sign-in. */
import { untilClosed } from '../utils/closing.ts'

export interface WorkspaceSummary {
  id: string
  name: string
  role: string
  isActive?: boolean
}

export interface PlaygroundSession {
  authenticated: boolean
  user: { id: string, displayName?: string }
  workspace: { id: string, name: string }
  role: 'owner' | 'editor' | 'viewer'
}

export function useSession() {
  const request = useRequestFetch()
  const session = useState<PlaygroundSession | null>('session', () => null)
  const workspaces = useState<WorkspaceSummary[]>('workspaces', () => [])
  const problem = useState<string>('session-problem', () => '')
  const isLeaving = useState('session-leaving', () => false)

  async function refresh(): Promise<void> {
    try {
      const answer = await request<{ session: PlaygroundSession | null }>('/api/auth/session')
      const signedIn = answer.session?.authenticated ? answer.session : null
      // Together, so that the page never shows a session whose workspaces are still to come.
      workspaces.value = signedIn ? await listWorkspaces() : []
      session.value = signedIn
      problem.value = ''
    }
    catch (error) {
      problem.value = describeFailure(error, 'The session could not be read.')
    }
  }

  async function listWorkspaces(): Promise<WorkspaceSummary[]> {
    const answer = await request<{ workspaces: WorkspaceSummary[] }>('/api/workspaces')
    return answer.workspaces
  }

  async function signIn(name: string): Promise<void> {
    await request('/api/demo/sign-in', { method: 'POST', body: { name } })
    await refresh()
  }

  async function signOut(): Promise<void> {
    // Closes the devices first: their next request would be refused.
    isLeaving.value = true
    try {
      await nextTick()
      await untilClosed()
      await request('/api/demo/sign-out', { method: 'POST' })
      await refresh()
    }
    finally {
      isLeaving.value = false
    }
  }

  async function switchWorkspace(id: string): Promise<void> {
    await request('/api/workspaces/active', { method: 'POST', body: { id } })
    await refresh()
  }

  async function createWorkspace(name: string): Promise<void> {
    const created = await request<{ id: string }>('/api/workspaces', { method: 'POST', body: { name } })
    await switchWorkspace(created.id)
  }

  return { session, workspaces, problem, isLeaving, refresh, signIn, signOut, switchWorkspace, createWorkspace }
}

/** The server's own sentence where it sent one. */
export function describeFailure(error: unknown, otherwise: string): string {
  if (typeof error !== 'object' || error === null) return otherwise
  const data = 'data' in error ? error.data : undefined
  if (typeof data === 'object' && data !== null && 'message' in data && typeof data.message === 'string') {
    return data.message || otherwise
  }
  return otherwise
}
