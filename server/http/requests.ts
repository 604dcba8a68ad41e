/**
 * Every request of an API route has an id, the caller's own where it sent a usable one. The answer carries it as
 * `X-Request-Id`, and the log beside an error. Refusals below 500 are not logged.
 */
import { randomUUID } from 'node:crypto'
import { consola } from 'consola'
import { getRequestHeader, getResponseHeader, type H3Event, isError, setResponseHeader } from 'h3'
import { driverCode } from '../database/driver-error.ts'
import { mayLog } from '../lib/log-budget.ts'

const usableId = /^[\w.:-]{1,128}$/
const header = 'X-Request-Id'

/** Sets the answer's `X-Request-Id`. */
export function assignRequestId(event: H3Event): void {
  if (!isApi(event) || getResponseHeader(event, header)) return
  const sent = getRequestHeader(event, header)
  setResponseHeader(event, header, sent !== undefined && usableId.test(sent) ? sent : randomUUID())
}

/** Logs a failure of the server by its code, never with the text of a request; a bounded number a minute. */
export function logFailure(error: Error, event: H3Event | undefined): void {
  if (!event || !isApi(event)) return
  const { status, code } = describe(error)
  if (status < 500 || !mayLog()) return
  const requestId = getResponseHeader(event, header)
  consola.withTag('or3-sync').error({
    message: `${event.method} ${printable(pathOf(event))} failed with ${status}`,
    additional: [
      `request ${requestId}`, `code ${code}`,
      ...driverCode(error) === undefined ? [] : [`database ${driverCode(error)}`],
    ],
  })
}

function describe(error: Error): { status: number, code: string } {
  if (!isError(error)) return { status: 500, code: 'UNKNOWN' }
  const data = error.data as { code?: unknown } | undefined
  return { status: error.statusCode, code: typeof data?.code === 'string' ? data.code : 'UNKNOWN' }
}

/** h3 has decoded the path: it must not start a line of the log or send commands to a terminal. */
function printable(path: string): string {
  return path.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, encodeURIComponent)
}

function isApi(event: H3Event): boolean {
  return pathOf(event).startsWith('/api/')
}

/** Paths by request: h3 removes the app's base URL from the path while it routes. */
const paths = new WeakMap<H3Event, string>()

/** Remembers the path without the app's base URL; to be called before the request is routed. */
export function rememberRoutePath(event: H3Event, baseURL: string): void {
  const base = baseURL.replace(/\/$/, '')
  const path = pathOf(event)
  paths.set(event, path.startsWith(`${base}/`) ? path.slice(base.length) : path)
}

/** The path as the routes have it, without the query, which may hold a token. */
export function pathOf(event: H3Event): string {
  return paths.get(event) ?? event.path.split('?', 1)[0]!
}
