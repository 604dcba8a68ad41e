/**
 * A pull that waits: where nothing comes after its cursor it is answered when something does, or when its time is up.
 * For clients whose proxy keeps event streams back. It counts among the user's live streams while it waits.
 */
import { ServerResponse } from 'node:http'
import type { H3Event } from 'h3'
import { pullRequest } from '../../../shared/shapes.ts'
import { parseRequest } from '../../lib/parse-request.ts'
import { useSyncEngine } from '../../layer.ts'
import { createUserCaller } from '../../sync/caller.ts'
import { addListener, useLiveListeners } from './live.ts'
import { createRightsReader } from './rights.ts'

const waitedMs = new WeakMap<H3Event, number>()

/** How long this request has waited on purpose, in milliseconds: no part of its latency. */
export function readWaitedMs(event: H3Event): number {
  return waitedMs.get(event) ?? 0
}

/**
 * Resolves at once where the pull does not ask to wait, or need not. After a wait the rights are read again. Throws
 * INVALID_REQUEST, RATE_LIMITED, and what the rights of then refuse.
 */
export async function waitForHead(
  event: H3Event, body: unknown, { workspaceId, userId }: { workspaceId: string, userId: string },
): Promise<void> {
  const response = event.node.res
  if (!hasWait(body) || !(response instanceof ServerResponse)) return
  const { cursor, waitMs = 0 } = parseRequest(pullRequest, body, 'Invalid pull request')
  const engine = await useSyncEngine()
  let wake = () => {}
  const waiting = new Promise<void>(resolve => (wake = resolve))
  const remove = addListener(event, useLiveListeners(engine), {
    userId, workspaceId,
    onHead: head => void (head > cursor && wake()),
    onDoubt: wake,
    close: wake,
    onTick() {},
  })
  const startedAt = performance.now()
  const timer = setTimeout(wake, waitMs)
  response.once('close', wake)
  try {
    const head = await engine.readHead(createUserCaller(workspaceId, userId))
    // A cursor beyond the head is told to take a snapshot, which need not wait either.
    if (head === cursor) await waiting
  }
  finally {
    clearTimeout(timer)
    response.off('close', wake)
    remove()
    waitedMs.set(event, performance.now() - startedAt)
  }
  await createRightsReader(event, workspaceId, userId)()
}

function hasWait(body: unknown): body is { waitMs: unknown } {
  return typeof body === 'object' && body !== null && 'waitMs' in body && body.waitMs !== undefined && body.waitMs !== 0
}
