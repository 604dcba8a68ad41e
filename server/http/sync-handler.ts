/**
 * What the sync routes share, in order: user (401), rate limit (429), body (413, 400), the user's role in the workspace
 * that the body names (403), then the engine. Answers are never cached; a request that fails does not count against the
 * limit.
 */
import { type H3Event, setResponseHeader } from 'h3'
import { maxQueryBytes } from '../../shared/limits.ts'
import type { Permission } from '../auth/roles.ts'
import { authorize, forgetSession, requireUser } from '../auth/session.ts'
import type { RateLimitedOperation } from '../config/sync.ts'
import { createSyncError } from '../errors.ts'
import { useSyncEngine } from '../layer.ts'
import { maskErrors } from '../lib/mask-errors.ts'
import { createUserCaller, type UserCaller } from '../sync/caller.ts'
import type { SyncEngine } from '../sync/engine.ts'
import { readSyncBody } from './body.ts'
import { defineHandler } from './errors.ts'
import { waitForHead } from './live/wait.ts'
import { trackOpenResponse } from './open-responses.ts'
import { countRequest, refuseTooMany } from './rate-limit.ts'

/** `body` has a `scope.workspaceId`; the engine checks the rest of its shape. */
type Serve<Body, T> = (engine: SyncEngine, caller: UserCaller, body: Body, event: H3Event) => Promise<T>

/** Makes the handler of one sync route. */
export function defineSyncHandler<Body extends object, T>(operation: RateLimitedOperation, permission: Permission, serve: Serve<Body, T>) {
  return defineHandler(async (event): Promise<T> => {
    setResponseHeader(event, 'Cache-Control', 'no-store')
    const before = await requireUser(event)
    refuseTooMany(event, operation, before.user.id)
    const isHere = event.node.req.complete
    const body = await readSyncBody(event, operation === 'push' ? undefined : maxQueryBytes)
    // The body may have taken minutes: the user and their role are read again.
    if (!isHere) forgetSession(event)
    const workspaceId = workspaceOf(body)
    const { user } = await authorize(event, permission, { workspaceId })
    if (operation === 'pull') await waitForHead(event, body, { workspaceId, userId: user.id })
    if (operation === 'pull' || operation === 'snapshot') trackOpenResponse(event, user.id)
    const refund = countRequest(event, operation, user.id)
    try {
      return await maskErrors(`Sync ${operation}`, async () =>
        serve(await useSyncEngine(), createUserCaller(workspaceId, user.id), body as Body, event))
    }
    catch (error) {
      refund()
      throw error
    }
  })
}

function workspaceOf(body: unknown): string {
  const workspaceId = (body as { scope?: { workspaceId?: unknown } } | null)?.scope?.workspaceId
  if (typeof workspaceId !== 'string') throw createSyncError('INVALID_REQUEST', 'The body has no scope.workspaceId: send the id of the workspace to sync')
  return workspaceId
}
