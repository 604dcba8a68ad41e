/** From which address a request comes: the socket's, since anybody can write a header; behind proxies what they wrote. */
import { Socket } from 'node:net'
import { consola } from 'consola'
import { getRequestHeader, getRequestIP, type H3Event } from 'h3'

/** The longest IPv6 address with a zone is shorter. */
const maxAddressLength = 64

/**
 * Each proxy adds the address it was asked from at the end of X-Forwarded-For, so with `trustedProxies` of them the
 * client's is that many from the end; what stands before may be the client's own invention. Where the header is shorter
 * the request came past a proxy, and only the socket is sure. Null where there is none, and for a request from within the
 * process: a page that is rendered asks for the session on behalf of its reader, whose headers it passes on.
 */
export function readAddress(event: H3Event, trustedProxies: number): string | null {
  // Nitro's own calls have no connection. A client cannot ask without one, whatever headers it sends.
  if (!(event.node.req.socket instanceof Socket)) return null
  const header = getRequestHeader(event, 'x-forwarded-for')
  // In development Nuxt itself is the proxy.
  if (header !== undefined && trustedProxies === 0 && !import.meta.dev) warnOnce()
  const forwarded = trustedProxies === 0 ? [] : header?.split(',') ?? []
  return forwarded.at(-trustedProxies)?.trim().slice(0, maxAddressLength) || getRequestIP(event) || null
}

let warned = false

function warnOnce() {
  if (warned) return
  warned = true
  consola.withTag('or3-sync').warn('A request came with X-Forwarded-For, and or3Sqlite.limits.trustedProxies is 0: behind a proxy all clients count as one address. Set it to how many proxies there are.')
}
