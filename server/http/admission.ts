/**
 * Checks each request before it is routed and before the user is known: its host, how many requests its connection and
 * the server have under way. Ends connections on which nothing moves, and those whose refused body does not end.
 * Upholds P15.
 */
import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { createError, type EventHandler, type H3Event, isError, setResponseHeader } from 'h3'
import { type ErrorCode, errorKinds } from '../../shared/error-codes.ts'
import { maxDrainBytes } from '../../shared/limits.ts'
import { readSyncSettings } from '../config/sync.ts'
import { createSyncError } from '../errors.ts'
import { countLimited } from '../lib/limit-counts.ts'
import { mayLog } from '../lib/log-budget.ts'
import { onRequestEnd } from './request-end.ts'

const bySocket = new WeakMap<Socket, number>()
const byUser = new Map<string, number>()
const counted = new WeakSet<H3Event>()
let inFlight = 0

/** Requests that are not answered, or whose answer was not taken yet. */
export function readRequestsInFlight(): number {
  return inFlight
}

/** Puts the checks before an app's handler; h3 looks the handler up with each request. */
export function guardApp(app: { handler: EventHandler }): void {
  const handle = app.handler
  const guarded = (event: H3Event) => admit(event) ? Promise.resolve(handle(event)).catch(boundLog) : undefined
  app.handler = Object.assign(guarded, handle)
}

/** Nitro prints the stack of an error that no code threw on purpose: a bounded number of them a minute. */
function boundLog(error: unknown): never {
  const isPrinted = !isError(error) || error.unhandled || error.fatal
  if (!isPrinted || mayLog()) throw error
  throw createError({ statusCode: 500, message: 'Server Error', cause: error })
}

/** False where the request has its answer already, or its connection was ended. */
function admit(event: H3Event): boolean {
  const { req, res } = event.node
  // A request that the server makes of itself.
  if (!(res instanceof ServerResponse)) return true
  const { socket } = req
  if (socket.destroyed) return false
  const settings = readSyncSettings()
  const open = (bySocket.get(socket) ?? 0) + 1
  if (open > settings.maxRequestsPerSocket) {
    // An answer would wait behind all the others that nobody takes.
    countLimited('socket-requests')
    socket.destroy()
    return false
  }
  bySocket.set(socket, open)
  inFlight++
  onRequestEnd(event, () => {
    inFlight--
    bySocket.set(socket, bySocket.get(socket)! - 1)
  })
  endWhenStuck(req, res, settings.idleSeconds * 1000)
  if (!isUsableHost(req)) {
    countLimited('host')
    answer(res, 'INVALID_REQUEST', 'The Host header, or the request\'s target, is not usable')
    return false
  }
  if (inFlight > settings.maxRequestsInFlight) {
    countLimited('requests')
    answer(res, 'SERVER_BUSY', 'Too many requests are under way. Retry after 1s')
    return false
  }
  return true
}

/**
 * Counts the request for its user, once, until its answer was taken. Throws RATE_LIMITED where too many requests of the
 * user are under way.
 */
export function admitUser(event: H3Event, userId: string): void {
  if (counted.has(event)) return
  const open = byUser.get(userId) ?? 0
  if (open >= readSyncSettings().maxUserRequestsInFlight) {
    countLimited('user-requests')
    setResponseHeader(event, 'Retry-After', 1)
    throw createSyncError('RATE_LIMITED', `Rate limit exceeded: ${open} of your requests are under way. Retry after 1s`)
  }
  byUser.set(userId, open + 1)
  const end = () => {
    const left = byUser.get(userId)! - 1
    if (left > 0) byUser.set(userId, left)
    else byUser.delete(userId)
  }
  if (onRequestEnd(event, end)) counted.add(event)
  else end()
}

/** A repeat of a request that was counted, as for reading its rights again, does not count. */
export function exemptRepeat(event: H3Event): void {
  counted.add(event)
}

/** Ends the connection where nobody takes the answer, or what is left of a refused body does not end. */
function endWhenStuck(request: IncomingMessage, response: ServerResponse, idleMs: number) {
  const { socket } = request
  response.once('prefinish', () => socket.setTimeout(idleMs))
  response.once('timeout', () => {
    countLimited('idle')
    socket.destroy()
  })
  response.once('finish', () => {
    if (!request.complete) drain(request, socket)
  })
}

const drainMs = 5_000
const drainCheckMs = 20

/** Node reads on and throws away; a client that reads its answer stops sending. */
function drain(request: IncomingMessage, socket: Socket) {
  const from = socket.bytesRead
  const until = performance.now() + drainMs
  const timer = setInterval(() => {
    const isOver = request.complete || socket.destroyed
    if (!isOver && socket.bytesRead - from < maxDrainBytes && performance.now() < until) return
    clearInterval(timer)
    if (isOver) return
    countLimited('unread-body')
    socket.destroy()
  }, drainCheckMs)
}

/** Nitro makes a URL of these for its error page, and throws where that is none. */
function isUsableHost({ headers, url = '/' }: IncomingMessage): boolean {
  const forwarded = headers['x-forwarded-host']
  const hosts = [headers.host, typeof forwarded === 'string' ? forwarded.split(',')[0]!.trim() : undefined]
  return hosts.every(host => !host || (/^[^\s/?#@\\]+$/.test(host) && URL.canParse(`http://${host}`)))
    && URL.canParse(url.replace(/^[/\\]+/, '/'), 'http://localhost')
}

function answer(response: ServerResponse, code: ErrorCode, message: string) {
  const { status, retryable } = errorKinds[code]
  response.writeHead(status, {
    'Content-Type': 'application/json', 'Connection': 'close', ...retryable && { 'Retry-After': '1' },
  })
  response.end(JSON.stringify({ error: true, statusCode: status, message, data: { code, retryable } }))
}
