/**
 * Refuses requests that change state and come from another site, with which a browser sends cookies too. Browsers tell
 * the site by `Sec-Fetch-Site`, older ones by `Origin`. A request with a bearer token and no cookie is exempt: other
 * sites do not have the token, and no browser adds one by itself, as it adds Basic, Digest and Negotiate.
 */
import { getRequestHeader, type H3Event } from 'h3'
import { createSyncError } from '../errors.ts'

const changesState = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** Throws CROSS_SITE where the request changes state and comes from another site. */
export function refuseCrossSite(event: H3Event): void {
  if (!changesState.has(event.method)) return
  if (/^bearer /i.test(getRequestHeader(event, 'authorization') ?? '') && !getRequestHeader(event, 'cookie')) return
  if (isCrossSite(event)) throw createSyncError('CROSS_SITE', 'A request that changes state must come from this site.')
}

/**
 * Also for a request that changes nothing but takes something up, such as one of a user's few live streams. Throws
 * CROSS_SITE.
 */
export function refuseForeignPage(event: H3Event): void {
  if (getRequestHeader(event, 'sec-fetch-site') !== 'cross-site' || getRequestHeader(event, 'authorization')) return
  throw createSyncError('CROSS_SITE', 'A live stream must be asked for by a page of this site.')
}

/** To a browser a sibling domain or another port is the same site and gets the cookie: there the origin decides. */
function isCrossSite(event: H3Event): boolean {
  const site = getRequestHeader(event, 'sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return false
  if (site === 'cross-site') return true
  const origin = getRequestHeader(event, 'origin')
  // A browser that sends Sec-Fetch-Site sends an Origin with each request that changes state.
  return origin === undefined ? site !== undefined : !isOwnOrigin(event, origin)
}

/**
 * The host that a proxy was asked for counts too, since no other site can set its header. An opaque origin never
 * counts.
 */
function isOwnOrigin(event: H3Event, origin: string): boolean {
  const from = URL.parse(origin)
  if (from?.protocol !== 'http:' && from?.protocol !== 'https:') return false
  const forwarded = getRequestHeader(event, 'x-forwarded-host')?.split(',')[0]?.trim()
  return [getRequestHeader(event, 'host'), forwarded]
    .some(host => host !== undefined && URL.parse(`${from.protocol}//${host}`)?.host === from.host)
}
