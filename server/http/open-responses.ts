/**
 * The pages that are made or on their way to their reader: each may be many megabytes, and who asks for more than they
 * read would fill the memory. A connection on which nothing moves is ended.
 */
import { ServerResponse } from 'node:http'
import type { H3Event } from 'h3'
import { createSyncError } from '../errors.ts'
import { maxOpenPages } from '../../shared/limits.ts'

/** Longer than a phone is without its network; who comes back asks again. */
const idleMs = 120_000

const openByUser = new Map<string, number>()

/** Until the answer is sent or its connection gone. Throws RATE_LIMITED where the user has too many. */
export function trackOpenResponse({ node: { res } }: H3Event, userId: string): void {
  // A request that the server makes of itself has no connection that would end.
  if (!(res instanceof ServerResponse)) return
  const open = openByUser.get(userId) ?? 0
  if (open >= maxOpenPages) throw createSyncError('RATE_LIMITED', `Rate limit exceeded: ${open} pages are still being read. Retry after 1s`)
  openByUser.set(userId, open + 1)
  res.setTimeout(idleMs)
  res.once('close', () => {
    const left = openByUser.get(userId)! - 1
    if (left > 0) openByUser.set(userId, left)
    else openByUser.delete(userId)
  })
}
