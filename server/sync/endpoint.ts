/**
 * What the sync routes share, in order: who asks (401), how often (429), the body (413, 400), may they do it in that
 * workspace (403), then the room. Answers are never cached; a request that fails does not count against the limit.
 */
import { defineEventHandler, type H3Event, setResponseHeader } from 'h3'
import { readSyncBody } from '../api-body.ts'
import type { Permission } from '../auth/roles.ts'
import { authorize, forgetSession, requireSession } from '../auth/session.ts'
import type { SyncDatabase } from '../db/open.ts'
import { fail } from '../errors.ts'
import { useSyncDatabase } from '../layer.ts'
import { withoutDriverText } from '../without-driver-text.ts'
import { maxQueryBytes } from './limits.ts'
import { holdPage } from './open-pages.ts'
import { countRequest, refuseTooMany } from './rate-limit.ts'
import type { RateLimitedOperation } from './settings.ts'

/** Each room checks the shape of the body it needs. */
type Serve<T> = (database: SyncDatabase, event: H3Event, body: never) => Promise<T>

export function defineSyncHandler<T>(operation: RateLimitedOperation, permission: Permission, serve: Serve<T>) {
  return defineEventHandler(async (event) => {
    setResponseHeader(event, 'Cache-Control', 'no-store')
    const before = await requireSession(event)
    refuseTooMany(event, operation, before.user.id)
    const isHere = event.node.req.complete
    const body = await readSyncBody(event, operation === 'push' ? undefined : maxQueryBytes)
    // It may have been minutes in coming; rights, and the limit, are those of now.
    if (!isHere) forgetSession(event)
    const { user } = await authorize(event, permission, { workspaceId: workspaceOf(body) })
    if (operation === 'pull' || operation === 'snapshot') holdPage(event, user.id)
    const takeBack = countRequest(event, operation, user.id)
    try {
      return await withoutDriverText(`Sync ${operation}`, async () => serve(await useSyncDatabase(), event, body as never))
    }
    catch (error) {
      takeBack()
      throw error
    }
  })
}

function workspaceOf(body: unknown): string {
  const workspaceId = (body as { scope?: { workspaceId?: unknown } } | null)?.scope?.workspaceId
  if (typeof workspaceId !== 'string') throw fail('INVALID_REQUEST', 'The body has no scope.workspaceId: send the id of the active workspace')
  return workspaceId
}
