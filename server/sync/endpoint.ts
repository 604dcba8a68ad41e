/**
 * What the sync routes share, in order: who asks (401), the body (413, 400), may they do it in that workspace (403),
 * then the room. Answers are never cached.
 */
import { defineEventHandler, type H3Event, setResponseHeader } from 'h3'
import { readSyncBody } from '../api-body.ts'
import type { Permission } from '../auth/roles.ts'
import { authorize, requireSession } from '../auth/session.ts'
import type { SyncDatabase } from '../db/open.ts'
import { fail } from '../errors.ts'
import { useSyncDatabase } from '../layer.ts'

/** `serve` gets the body as it came: each room checks the shape it needs. */
export function defineSyncHandler<T>(permission: Permission, serve: (database: SyncDatabase, event: H3Event, body: never) => Promise<T>) {
  return defineEventHandler(async (event) => {
    setResponseHeader(event, 'Cache-Control', 'no-store')
    await requireSession(event)
    const body = await readSyncBody(event)
    await authorize(event, permission, { workspaceId: workspaceOf(body) })
    return serve(await useSyncDatabase(), event, body as never)
  })
}

function workspaceOf(body: unknown): string {
  const workspaceId = (body as { scope?: { workspaceId?: unknown } } | null)?.scope?.workspaceId
  if (typeof workspaceId !== 'string') throw fail('INVALID_REQUEST', 'The body has no scope.workspaceId: send the id of the active workspace')
  return workspaceId
}
