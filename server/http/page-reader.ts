/**
 * What a page asks while the server renders it: the session of its request and the rows that its user may see. The
 * composables in `app/` find the reader on the request's event, so that no request goes over the network.
 */
import type { H3Event } from 'h3'
import type { JsonObject, SnapshotResponse } from '../../shared/protocol.ts'
import { authorize, resolveSession } from '../auth/session.ts'
import type { SignedInSession } from '../auth/session-context.ts'
import { useSyncEngine } from '../layer.ts'
import { createUserCaller } from '../sync/caller.ts'

/**
 * Rows of one table in one page: more would make the HTML larger than the rows are worth. The browser loads the rest.
 */
const maxPageRows = 1_000

export interface PageReader {
  session(): Promise<Pick<SignedInSession, 'user' | 'workspace' | 'role'> | null>
  rows(table: string, workspaceId: string): Promise<JsonObject[]>
}

/** Makes the reader of one request; it reads nothing before it is asked. */
export function createPageReader(event: H3Event): PageReader {
  const read = new Map<string, Promise<JsonObject[]>>()
  return {
    async session() {
      const session = await resolveSession(event)
      return session && { user: session.user, workspace: session.workspace, role: session.role }
    },
    /** Several lists of one page share one read. */
    rows(table, workspaceId) {
      const key = JSON.stringify([table, workspaceId])
      const rows = read.get(key) ?? readPageRows(event, table, workspaceId)
      read.set(key, rows)
      return rows
    },
  }
}

async function readPageRows(event: H3Event, table: string, workspaceId: string): Promise<JsonObject[]> {
  const { user } = await authorize(event, 'workspace.read', { workspaceId })
  const caller = createUserCaller(workspaceId, user.id)
  const engine = await useSyncEngine()
  const rows: JsonObject[] = []
  let pageToken: string | null | undefined
  do {
    const request = {
      scope: { workspaceId }, pageSize: maxPageRows - rows.length, tables: [table], pageToken: pageToken ?? undefined,
    }
    // As text: parsed by itself, it has plain numbers only, which the page's payload can carry.
    const page = JSON.parse(await engine.snapshotText(caller, request)) as SnapshotResponse
    for (const item of page.items) if (item.kind === 'row') rows.push(item.payload as JsonObject)
    pageToken = page.nextPageToken
  } while (pageToken !== null && rows.length < maxPageRows)
  return rows
}
