/** The address that a request comes from: the socket's, since anybody can write a header; behind proxies theirs. */
import { Socket } from 'node:net'
import { consola } from 'consola'
import { getRequestHeader, getRequestIP, type H3Event } from 'h3'

/** The longest IPv6 address with a zone is shorter. */
const maxAddressLength = 64

/**
 * The client's address. Each proxy appends the address that asked it to X-Forwarded-For, so with `trustedProxies` of
 * them the client's is that many from the end; the client may have invented the ones before. A shorter header came past
 * a proxy, and then only the socket is sure. Null for a request that the server makes of itself, as a rendered page
 * does.
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
  consola.withTag('or3-sync').warn('A request came with X-Forwarded-For, and or3Sqlite.limits.trustedProxies is 0: '
    + 'behind a proxy all clients count as one address. Set it to how many proxies there are.')
}
