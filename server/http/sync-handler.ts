/**
 * What the sync routes share, in order: user (401), rate limit (429), body (413, 400), the user's role in the workspace
 * that the body names (403), then the engine. A request counts before its body is read, and only a failure of the
 * server is refunded. Answers are never cached, and count against the byte budget until they were taken. Upholds P8 and
 * P15.
 */
import { type H3Event, setResponseHeader } from 'h3'
import { errorKinds } from '../../shared/error-codes.ts'
import { bytesPerRequest, pageReserveBytes, smallBytes } from '../../shared/limits.ts'
import type { Permission } from '../auth/roles.ts'
import { authorize, forgetSession, requireUser } from '../auth/session.ts'
import type { RateLimitedOperation } from '../config/sync.ts'
import { createSyncError, isSyncError } from '../errors.ts'
import { useSyncEngine } from '../layer.ts'
import { maskErrors } from '../lib/mask-errors.ts'
import { createUserCaller, type UserCaller } from '../sync/caller.ts'
import type { SyncEngine } from '../sync/engine.ts'
import { readPushBody, readSmallJson } from './body.ts'
import { takeBytes } from './byte-budget.ts'
import { defineHandler } from './errors.ts'
import { waitForHead } from './live/wait.ts'
import { countRequest } from './rate-limit.ts'

/** `body` has a `scope.workspaceId`; the engine checks the rest of its shape. */
type Serve<Body, T> = (engine: SyncEngine, caller: UserCaller, body: Body, event: H3Event) => Promise<T>

/** Makes the handler of one sync route. */
export function defineSyncHandler<Body extends object, T>(
  operation: RateLimitedOperation,
  permission: Permission,
  serve: Serve<Body, T>,
) {
  return defineHandler(async (event): Promise<T> => {
    setResponseHeader(event, 'Cache-Control', 'no-store')
    const { user: asking } = await requireUser(event)
    const count = countRequest(event, operation, asking.id)
    try {
      const isHere = event.node.req.complete
      const { value: body, bytes } = operation === 'push'
        ? await readPushBody(event, asking.id)
        : { value: await readSmallJson(event), bytes: 0 }
      count.weigh(bytes / bytesPerRequest)
      // The body may have taken minutes: the user and their role are read again.
      if (!isHere) forgetSession(event)
      const workspaceId = workspaceOf(body)
      const { user } = await authorize(event, permission, { workspaceId })
      if (operation === 'pull') await waitForHead(event, body, { workspaceId, userId: user.id })
      const isPage = operation === 'pull' || operation === 'snapshot'
      const lease = isPage ? await takeBytes(event, user.id, pageReserveBytes) : undefined
      const answer = await maskErrors(`Sync ${operation}`, async () =>
        serve(await useSyncEngine(), createUserCaller(workspaceId, user.id), body as Body, event))
      const length = typeof answer === 'string' ? answer.length : 0
      count.weigh(length / bytesPerRequest)
      const counted = length > smallBytes ? length : 0
      if (lease) lease.resize(counted)
      else if (counted > 0) await takeBytes(event, user.id, counted)
      return answer
    }
    catch (error) {
      if (isSyncError(error) && errorKinds[error.code].status >= 500) count.refund()
      throw error
    }
  })
}

function workspaceOf(body: unknown): string {
  const workspaceId = (body as { scope?: { workspaceId?: unknown } } | null)?.scope?.workspaceId
  if (typeof workspaceId === 'string') return workspaceId
  throw createSyncError('INVALID_REQUEST', 'The body has no scope.workspaceId: send the id of the workspace to sync')
}
