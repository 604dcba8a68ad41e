/**
 * What the sync routes share, in order: who asks (401), how often (429), the body (413, 400), may they do it in that
 * workspace (403), then the room. Answers are never cached; a request counts against the limit when it has succeeded.
 */
import { defineEventHandler, type H3Event, setResponseHeader } from 'h3'
import { readSyncBody } from '../api-body.ts'
import type { Permission } from '../auth/roles.ts'
import { authorize, requireSession } from '../auth/session.ts'
import type { SyncDatabase } from '../db/open.ts'
import { fail } from '../errors.ts'
import { useSyncDatabase } from '../layer.ts'
import { withoutDriverText } from '../without-driver-text.ts'
import { recordRequest, refuseTooMany } from './rate-limit.ts'
import type { RateLimitedOperation } from './settings.ts'

/** Each room checks the shape of the body it needs. */
type Serve<T> = (database: SyncDatabase, event: H3Event, body: never) => Promise<T>

export function defineSyncHandler<T>(operation: RateLimitedOperation, permission: Permission, serve: Serve<T>) {
  return defineEventHandler(async (event) => {
    setResponseHeader(event, 'Cache-Control', 'no-store')
    const { user } = await requireSession(event)
    refuseTooMany(event, operation, user.id)
    const body = await readSyncBody(event)
    await authorize(event, permission, { workspaceId: workspaceOf(body) })
    const answer = await withoutDriverText(`Sync ${operation}`, async () => serve(await useSyncDatabase(), event, body as never))
    recordRequest(operation, user.id)
    return answer
  })
}

function workspaceOf(body: unknown): string {
  const workspaceId = (body as { scope?: { workspaceId?: unknown } } | null)?.scope?.workspaceId
  if (typeof workspaceId !== 'string') throw fail('INVALID_REQUEST', 'The body has no scope.workspaceId: send the id of the active workspace')
  return workspaceId
}
