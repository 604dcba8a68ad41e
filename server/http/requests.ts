/**
 * Every request of an API route has an id, the caller's own where it sent a usable one: it is answered as
 * `X-Request-Id`, and stands beside the error in the log. A refusal that is the caller's matter is not logged.
 */
import { randomUUID } from 'node:crypto'
import { consola } from 'consola'
import { getRequestHeader, getResponseHeader, type H3Event, isError, setResponseHeader } from 'h3'
import { driverCode } from '../database/driver-error.ts'
import { mayLog } from '../lib/log-budget.ts'

const usableId = /^[\w.:-]{1,128}$/
const header = 'X-Request-Id'

export function assignRequestId(event: H3Event): void {
  if (!isApi(event) || getResponseHeader(event, header)) return
  const sent = getRequestHeader(event, header)
  setResponseHeader(event, header, sent !== undefined && usableId.test(sent) ? sent : randomUUID())
}

/** Logs what the server could not do, with its code and never the text of a request. */
export function logFailure(error: Error, event: H3Event | undefined): void {
  if (!event || !isApi(event)) return
  const { status, code } = describe(error)
  if (status < 500 || !mayLog()) return
  const requestId = getResponseHeader(event, header)
  consola.withTag('or3-sync').error({
    message: `${event.method} ${printable(pathOf(event))} failed with ${status}`,
    additional: [`request ${requestId}`, `code ${code}`, ...driverCode(error) === undefined ? [] : [`database ${driverCode(error)}`]],
  })
}

function describe(error: Error): { status: number, code: string } {
  if (!isError(error)) return { status: 500, code: 'UNKNOWN' }
  const data = error.data as { code?: unknown } | undefined
  return { status: error.statusCode, code: typeof data?.code === 'string' ? data.code : 'UNKNOWN' }
}

/** h3 has decoded the path: a line of its own, or a terminal's commands, are no path. */
function printable(path: string): string {
  return path.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, encodeURIComponent)
}

function isApi(event: H3Event): boolean {
  return pathOf(event).startsWith('/api/')
}

/** By request: h3 takes an app's base URL off the path while it routes, so at times it is there and at times not. */
const paths = new WeakMap<H3Event, string>()

/** To be called before the request is routed. */
export function rememberRoutePath(event: H3Event, baseURL: string): void {
  const base = baseURL.replace(/\/$/, '')
  const path = pathOf(event)
  paths.set(event, path.startsWith(`${base}/`) ? path.slice(base.length) : path)
}

/** As the routes have it, and without the query, in which a token may stand. */
export function pathOf(event: H3Event): string {
  return paths.get(event) ?? event.path.split('?', 1)[0]!
}
