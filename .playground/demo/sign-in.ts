/** Asks the server who a demo user is and where he works. */
export async function signIn(baseUrl: string, headers: Record<string, string>) {
  const response = await fetch(`${baseUrl}/api/auth/session`, { headers }).catch(() => undefined)
  if (!response) throw new Error(`No server answers at ${baseUrl}.`)
  const answer = (await response.json().catch(() => undefined)) as
    { session?: { user?: { id?: string }, workspace?: { id?: string } } | null } | undefined
  const userId = answer?.session?.user?.id
  const workspaceId = answer?.session?.workspace?.id
  if (!response.ok || !userId || !workspaceId) {
    throw new Error(`${baseUrl} gave the demo user no session (HTTP ${response.status}): is it a playground server?`)
  }
  return { userId, workspaceId }
}
