/**
 * Requests to a libsql-server over the Hrana protocol: one call is one request, whatever number of statements it has.
 * Over `ws:` one socket carries them all; over `http:` each is a request of its own. `@libsql/client` needs two round
 * trips for a batch over `ws:` and stores SQL texts on the server (tursodatabase/libsql#1280), so its Hrana client is
 * used directly.
 */
import { type Client as HranaClient, openHttp, openWs } from '@libsql/hrana-client'
import { LibsqlError, type InStatement, type ResultSet } from '@libsql/core/api'
import { lostConnection, mapRemoteError, unreachable } from './remote-error.ts'
import { type BatchOptions, beginToWrite, runBatch } from './run-batch.ts'

export interface RemoteAddress {
  /** `ws:`, `wss:`, `http:` or `https:`. */
  url: string
  authToken?: string | undefined
}

export interface RequestOptions extends BatchOptions {
  /** Begins a transaction by this statement, before the others. */
  begin?: string
}

/** A SQL connection on the server with what it remembers: a transaction, pragmas. */
export interface Session {
  /** Each statement runs only if the one before it succeeded. Throws the first error, as `LibsqlError`. */
  send(statements: readonly InStatement[], options?: RequestOptions): Promise<ResultSet[]>
  /** Runs statements that are separated by semicolons. */
  sendScript(sql: string): Promise<void>
  close(): void
}

export interface RemoteConnection {
  /** A session for longer than one request: a transaction, a migration, the writer's own. */
  openSession(): Promise<Session>
  /** One request on any free session. */
  send(statements: readonly InStatement[], options?: RequestOptions): Promise<ResultSet[]>
  /** False over HTTP, where a session that is not used for some seconds is over. */
  readonly keepsSessions: boolean
  /** Requests sent so far. */
  readonly requests: number
  close(): void
}

/** Longer than a transaction of the server lives (5 s), shorter than the hosts' limit for a request (10 s). */
const answerMs = 8_000
const connectMs = 5_000
/** Of 128 connections that a server has. Each session is one; requests beyond these wait for one. */
const maxPooledSessions = 8

/**
 * Opens no connection yet: the first request does, and each one after the connection was lost. The first write
 * transaction of each session runs `proof` too, and writes nothing where that fails.
 */
export function openRemoteConnection({ url, authToken }: RemoteAddress, proof?: InStatement): RemoteConnection {
  const isSocket = url.startsWith('ws')
  let connecting: Promise<HranaClient> | undefined
  let closed = false
  let requests = 0
  let pooled = 0
  const free: Session[] = []
  const waiting: (() => void)[] = []

  async function connect(): Promise<HranaClient> {
    if (closed) throw new LibsqlError('The client is closed', 'CLIENT_CLOSED')
    const last = connecting
    const known = await last?.catch(() => undefined)
    if (known && !known.closed) return known
    // Of all that waited the first connects, and the others go with it.
    if (connecting === last) {
      connecting = openClient()
      // The caller gets the error; the next call connects again.
      connecting.catch(() => {})
    }
    return connecting!
  }

  async function openClient(): Promise<HranaClient> {
    const client = isSocket ? openWs(url, authToken, 3) : openHttp(url, authToken, undefined, undefined, 3)
    try {
      await within(connectMs, client.getVersion())
      if (closed) throw new LibsqlError('The client is closed', 'CLIENT_CLOSED')
      return client
    }
    catch (error) {
      client.close()
      const mapped = mapRemoteError(error)
      throw mapped instanceof LibsqlError && !isLost(mapped) ? mapped : unreachable(error)
    }
  }

  async function openSession(): Promise<Session> {
    const client = await connect()
    const stream = client.openStream()
    let isProven = proof === undefined
    async function ask<T>(request: () => Promise<T>): Promise<T> {
      requests++
      try {
        if (stream.closed || client.closed) throw new LibsqlError('The session is closed', 'STREAM_NOT_OPEN')
        return await within(answerMs, request())
      }
      catch (error) {
        const mapped = mapRemoteError(error)
        // An answer may be still under way: nothing more is asked on this connection.
        if (isLost(mapped)) client.close()
        throw mapped
      }
    }
    /** Sends the statements after BEGIN, and after the proof where the session has none yet. */
    async function run(statements: readonly InStatement[], options: RequestOptions): Promise<ResultSet[]> {
      const { inTransaction, begin = inTransaction ? beginToWrite : undefined } = options
      const proves = begin !== undefined && !begin.endsWith('READONLY') && !isProven
      const first = [begin, proves ? proof : undefined].filter(statement => statement !== undefined)
      const results = await runBatch(stream, [...first, ...statements], options)
      isProven ||= proves
      return results.slice(first.length)
    }
    return {
      send: (statements, options = {}) => ask(() => run(statements, options)),
      sendScript: sql => ask(() => stream.sequence(sql)),
      close: () => stream.close(),
    }
  }

  async function takeSession(): Promise<Session> {
    while (free.length === 0 && pooled >= maxPooledSessions) await new Promise<void>(resolve => waiting.push(resolve))
    const known = free.pop()
    if (known) return known
    pooled++
    try {
      return await openSession()
    }
    catch (error) {
      pooled--
      waiting.shift()?.()
      throw error
    }
  }

  /** A session of a socket is kept; over HTTP it would expire. */
  function giveBack(session: Session, usable: boolean) {
    if (usable && isSocket && !closed) {
      free.push(session)
    }
    else {
      pooled--
      session.close()
    }
    waiting.shift()?.()
  }

  return {
    openSession,
    async send(statements, options) {
      for (let attempt = 0; ; attempt++) {
        const isKept = free.length > 0
        const session = await takeSession()
        try {
          const results = await session.send(statements, { ...options, isLast: !isSocket })
          giveBack(session, true)
          return results
        }
        catch (error) {
          giveBack(session, false)
          // A kept session whose socket has gone meanwhile says so before anything is sent.
          const isGone = isKept && error instanceof LibsqlError && error.code === 'STREAM_NOT_OPEN'
          if (attempt < maxPooledSessions && isGone) continue
          throw error
        }
      }
    },
    keepsSessions: isSocket,
    get requests() {
      return requests
    },
    close() {
      closed = true
      for (const session of free.splice(0)) session.close()
      for (const resolve of waiting.splice(0)) resolve()
      connecting?.then(client => client.close(), () => {})
    },
  }
}

function isLost(error: unknown): boolean {
  return error instanceof LibsqlError && error.code === 'CONNECTION_LOST'
}

/** Rejects after `ms`; what `promise` comes to then is dropped. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  const { promise: late, reject }: PromiseWithResolvers<never> = Promise.withResolvers()
  const timer = setTimeout(() => reject(lostConnection(undefined)), ms)
  try {
    return await Promise.race([promise, late])
  }
  finally {
    clearTimeout(timer)
    promise.catch(() => {})
  }
}
