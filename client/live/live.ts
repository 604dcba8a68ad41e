/**
 * How a store hears of changes: at once by one event stream, else by pulls that wait, else by polling at its own pace.
 * What it hears is a hint: it starts a pull and moves no cursor, so that a lost one costs time and nothing else. While
 * hints come, polling goes on at a slow pace. Upholds P11.
 */
import { createUuid } from '../../shared/uuid.ts'
import type { SharedStatus } from '../tabs.ts'
import { endOfSession, type Transport, type TransportError } from '../transport.ts'
import { type Connection, type Ending, openConnection } from './connection.ts'
import { longPoll } from './long-poll.ts'
import { createPacer } from './pacer.ts'
import type { Page } from './page.ts'

export interface LiveOptions {
  workspaceId: string
  transport: Transport
  /** The newest version that the store knows of. */
  head(): number
  /** A server says that its head is this: pull, unless it has been passed. */
  hint(head: number): void
  /** Pull in any case. */
  requestPull(): void
  /** True: hints come, or nobody looks, and polling may be slow. */
  setSlow(isSlow: boolean): void
  show(live: SharedStatus['live']): void
  page: Page
  /** From 0 up to 1. */
  random?: (() => number) | undefined
}

export interface Live {
  /** Begins, or goes on after `pause`. */
  start(): void
  /** Another tab of this store is in view. */
  see(): void
  /** Lets go of the server; `reason` is shown. */
  pause(reason: string): void
  stop(): void
}

/**
 * After a stream was lost each device comes back within so long, at a moment of its own: a thousand of them are little
 * more than a hundred a second. Until then it polls. The next tries follow at just this distance: devices that are
 * apart stay apart, where jitter would bring those that came too early among those that have not come yet.
 */
const spreadMs = 9_500
/** Later tries come after twice as long each time, with jitter. */
const evenTries = 3
const maxBackOffMs = 60_000
/** The stream is tried again after so long where waiting pulls take its place; twice as long each time. */
const firstRetryMs = 60_000
const maxRetryMs = 900_000
/** A store that no tab shows lets go after so long. */
const hiddenMs = 300_000

/** Creates the live connection of one store; it does nothing before `start`. */
export function createLive(options: LiveOptions): Live {
  const { workspaceId, transport, page, random = Math.random } = options
  const clientId = createUuid()
  const pacer = createPacer(options.hint)
  let isRunning = false
  let isLetGo = false
  let connection: Connection | undefined
  let waiting: AbortController | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let hideTimer: ReturnType<typeof setTimeout> | undefined
  let unwatch = () => {}
  let seenAt = Date.now()
  /** Tries without a hello, and streams that fell silent, one after the other. */
  let failures = 0
  let silences = 0
  let retryMs = firstRetryMs
  let told = 0

  const hear = (head: number) => {
    if (head <= told) return
    told = head
    pacer.offer(head)
  }
  const show = (mode: SharedStatus['live']['mode'], reason: string) => {
    options.setSlow(mode === 'stream' || mode === 'long-poll')
    options.show({ mode, reason })
  }
  /** Without hints; not where waiting pulls still bring them. */
  const poll = (reason: string) => {
    if (!waiting) show('polling', reason)
  }
  const connectIn = (ms: number) => {
    clearTimeout(timer)
    timer = setTimeout(connect, ms)
  }
  function connect(): void {
    clearTimeout(timer)
    if (!isRunning || connection) return
    connection = openConnection({
      workspaceId, clientId, transport, onHead: hear,
      onHello(head) {
        failures = 0
        retryMs = firstRetryMs
        endWaiting()
        // A server that was restored: what is known is not of its log.
        if (head < Math.max(told, options.head())) options.requestPull()
        told = head
        pacer.offer(head)
        show('stream', 'connected')
      },
      onEnd(ending) {
        connection = undefined
        goOn(ending)
      },
    })
  }
  function goOn({ hasHello, isSilent, end, livedMs, error }: Ending): void {
    silences = isSilent && hasHello ? silences + 1 : 0
    if (!hasHello && !isSilent) failures++
    if (end === 'unauthenticated' || end === 'forbidden') return refuse(end)
    if (isSilent && (!hasHello || silences > 1)) return fallBack()
    if (hasHello) return comeBack(end, livedMs)
    const { status = 0, retryAfterSeconds = 0 } = error ?? {}
    const refusal = endOfSession(status)
    if (refusal) return refuse(refusal)
    if (status === 429) poll('this user has too many live streams')
    else if ((status >= 400 && status < 500) || status === 501) {
      poll('the server has no live stream')
      return connectIn(maxRetryMs)
    }
    else if (!error && failures > 2) return fallBack()
    else poll('the server does not answer')
    connectIn(Math.max(retryAfterSeconds * 1_000 * (1 + random()), chooseBackOff()))
  }
  function chooseBackOff(): number {
    if (failures <= evenTries) return spreadMs
    return Math.min(spreadMs * 2 ** (failures - evenTries), maxBackOffMs) * (0.9 + random() / 5)
  }
  function comeBack(end: Ending['end'], livedMs: number): void {
    if (end === 'reopen' && livedMs > 5_000) return connect()
    poll(end === 'restart' ? 'the server restarts' : 'the stream has ended')
    // After a sign-out its answer may still be on the way.
    connectIn(end === 'reopen' || end === 'session' ? 1_000 + random() * 1_000 : random() * spreadMs)
  }
  /** The next pull asks as well, and what it is told counts for the store. */
  function refuse(reason: 'unauthenticated' | 'forbidden'): void {
    endWaiting()
    poll(reason)
    options.requestPull()
    connectIn(maxRetryMs)
  }
  function fallBack(): void {
    connectIn(retryMs * (0.9 + random() / 5))
    retryMs = Math.min(2 * retryMs, maxRetryMs)
    if (waiting) return
    const { signal } = waiting = new AbortController()
    show('long-poll', 'no event comes through: a proxy may keep the stream back')
    longPoll({
      workspaceId, transport, signal,
      head: () => Math.max(told, options.head()),
      onHead(head) {
        if (head !== 0) return hear(head)
        told = 0
        options.requestPull()
      },
    }).catch((error: TransportError) => {
      if (signal.aborted) return
      waiting = undefined
      const { status, retryAfterSeconds = 0 } = error
      const refusal = endOfSession(status)
      if (refusal) return refuse(refusal)
      poll(status === 501 ? 'neither a stream nor a waiting pull comes through' : 'the server does not answer')
      if (status !== 501) connectIn(Math.max(retryAfterSeconds * 1_000, spreadMs * random()))
    })
  }
  function endWaiting(): void {
    waiting?.abort()
    waiting = undefined
  }
  function letGo(): void {
    clearTimeout(timer)
    connection?.close()
    connection = undefined
    endWaiting()
    pacer.stop()
  }
  function reconnect(): void {
    isLetGo = false
    options.requestPull()
    letGo()
    failures = 0
    connect()
  }
  /** What was open before the page slept may be dead, and nobody would say so. */
  function onShow(): void {
    clearTimeout(hideTimer)
    seenAt = Date.now()
    if (isRunning && !connection?.isFresh) reconnect()
  }
  function onHide(): void {
    clearTimeout(hideTimer)
    seenAt = Date.now()
    const check = () => {
      const leftMs = seenAt + hiddenMs - Date.now()
      if (leftMs > 0) {
        hideTimer = setTimeout(check, leftMs)
        return
      }
      letGo()
      isLetGo = true
      options.setSlow(true)
      options.show({ mode: 'polling', reason: 'no tab is in view' })
    }
    check()
  }

  return {
    start() {
      if (isRunning) return
      isRunning = true
      if (!transport.openLive) return show('polling', 'this transport has no live stream')
      unwatch = page.watch({ onShow, onHide, onOnline: reconnect })
      if (page.isHidden) onHide()
      show('polling', 'connecting')
      connect()
    },
    see() {
      seenAt = Date.now()
      if (isRunning && isLetGo) reconnect()
    },
    pause(reason) {
      this.stop()
      show('off', reason)
    },
    stop() {
      isRunning = false
      clearTimeout(hideTimer)
      unwatch()
      letGo()
    },
  }
}
