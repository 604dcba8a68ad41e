/** Tells when a request is over: its answer was taken, or its connection is gone. */
import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { H3Event } from 'h3'

const bySocket = new WeakMap<Socket, Set<() => void>>()
const byResponse = new WeakMap<ServerResponse, Set<() => void>>()

/**
 * Calls `end` once when the request is over, immediately where it is already. Returns false for a request that the
 * server makes of itself: it has no connection, and `end` is never called.
 */
export function onRequestEnd({ node: { req, res } }: H3Event, end: () => void): boolean {
  if (!(res instanceof ServerResponse)) return false
  const { socket } = req
  if (res.closed || socket.destroyed) {
    end()
    return true
  }
  const ends = endsOf(socket)
  const once = () => {
    res.off('close', once)
    if (ends.delete(once)) end()
  }
  ends.add(once)
  byResponse.set(res, (byResponse.get(res) ?? new Set()).add(once))
  res.once('close', once)
  return true
}

/**
 * Counts the request as over although its answer goes on. For one that is bounded in another way, as a live stream is
 * by their number.
 */
export function releaseRequest({ node: { res } }: H3Event): void {
  const ends = byResponse.get(res as ServerResponse) ?? []
  byResponse.delete(res as ServerResponse)
  for (const end of ends) end()
}

/** A response that waits behind others on its connection is never closed by Node when that ends. */
function endsOf(socket: Socket): Set<() => void> {
  const known = bySocket.get(socket)
  if (known) return known
  const ends = new Set<() => void>()
  bySocket.set(socket, ends)
  socket.once('close', () => {
    for (const end of ends) end()
  })
  return ends
}
