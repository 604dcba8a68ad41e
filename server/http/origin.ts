/**
 * A browser sends cookies along with requests that other sites make; those must not change state. Browsers say so
 * themselves (`Sec-Fetch-Site`), older ones by `Origin`. Who authenticates by a bearer token and no cookie is exempt: no
 * other site has it, and no browser adds it by itself, as it does Basic, Digest and Negotiate.
 */
import { getRequestHeader, type H3Event } from 'h3'
import { createSyncError } from '../errors.ts'

const changesState = new Set(['POST', 'PUT', 'PATCH', 'DELETE'])

/** Throws CROSS_SITE. */
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

/** A sibling domain or another port is of the same site to a browser, and gets the cookie: there the origin decides. */
function isCrossSite(event: H3Event): boolean {
  const site = getRequestHeader(event, 'sec-fetch-site')
  if (site === 'same-origin' || site === 'none') return false
  if (site === 'cross-site') return true
  const origin = getRequestHeader(event, 'origin')
  // A browser that tells the site of a request which changes state tells its origin too.
  return origin === undefined ? site !== undefined : !isOwnOrigin(event, origin)
}

/** The host a proxy was asked for counts, for no other site can set its header. An opaque origin never does. */
function isOwnOrigin(event: H3Event, origin: string): boolean {
  const from = URL.parse(origin)
  if (from?.protocol !== 'http:' && from?.protocol !== 'https:') return false
  const forwarded = getRequestHeader(event, 'x-forwarded-host')?.split(',')[0]?.trim()
  return [getRequestHeader(event, 'host'), forwarded]
    .some(host => host !== undefined && URL.parse(`${from.protocol}//${host}`)?.host === from.host)
}
