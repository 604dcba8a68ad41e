/**
 * One event stream: hello, then the newest head after each commit, then why it ends. At most one event is on its way to
 * the reader; of those that come meanwhile only the newest head is kept, so a slow reader costs nothing, and one that
 * takes nothing for long is dropped. No hint is written while the rights are in doubt. Upholds P11.
 */
import type { ServerResponse } from 'node:http'
import { liveHeartbeatMs, type LiveEnd, type LiveEvent } from '../../../shared/live.ts'
import { createSyncError, isSyncError } from '../../errors.ts'
import type { LiveFigures } from './figures.ts'
import type { LiveListener } from './listeners.ts'

export interface LiveStreamOptions {
  response: ServerResponse
  userId: string
  workspaceId: string
  key: string | undefined
  /** Reads the rights of now, and until when the session lasts, as ISO 8601. Throws a refusal. */
  readRights(): Promise<{ expiresAt?: string | undefined }>
  figures: LiveFigures
  /** From 0 up to 1. */
  random?: (() => number) | undefined
  onClose(): void
}

export interface LiveStream extends LiveListener {
  /** Begins the answer once the rights are sure; hints that came before are in it. Throws the refusal. */
  open(readHead: () => Promise<number>): Promise<void>
}

/** Rights are read again after this long. */
const checkMs = 30_000
/** An auth provider that answers later than this does not answer. */
const checkTimeoutMs = 10_000
/** A reader to whom nothing has got through for so long is dropped. */
const stalledMs = 30_000
/** A stream ends after this long, give or take a tenth: the whole request, with the app's middleware, is made again. */
const lifeMs = 600_000

/** Makes the stream; it writes nothing before `open`. */
export function createLiveStream(options: LiveStreamOptions): LiveStream {
  const { response, userId, workspaceId, key, figures, random = Math.random } = options
  let state: 'new' | 'open' | 'closed' = 'new'
  let newest = { head: 0, toldAt: 0 }
  let sentHead = 0
  let isWriting = false
  let wroteAt = performance.now()
  /** Reasons to read the rights, and how many of them the last reading answers. */
  let asked = 0
  let answered = 0
  let doubtful = 0
  let checking: Promise<void> | undefined
  let checkStartedAt = 0
  let checkAt = 0
  let endAt = Infinity
  let expiresAt: string | undefined

  const check = (): Promise<void> => checking ??= readUntilSure()
  const readUntilSure = async () => {
    asked = Math.max(asked, answered + 1)
    try {
      while (answered < asked && state !== 'closed') {
        const now = asked
        checkStartedAt = performance.now()
        expiresAt = (await options.readRights()).expiresAt
        answered = now
      }
    }
    finally {
      checking = undefined
      checkAt = performance.now() + checkMs * (1 - random() / 3)
    }
  }
  const checkOrClose = () => check().then(flush, (error: unknown) => close(nameEnd(error)))

  const write = (event: string) => {
    isWriting = true
    wroteAt = performance.now()
    response.write(event, 'latin1', (error) => {
      isWriting = false
      if (!error) flush()
    })
  }
  const flush = () => {
    if (state !== 'open' || isWriting || answered < doubtful || newest.head <= sentHead) return
    sentHead = newest.head
    write(describeEvent({ type: 'head', data: { head: sentHead } }))
    figures.countHint((performance.now() - newest.toldAt) / 1000)
  }
  const leave = () => {
    if (state === 'closed') return
    state = 'closed'
    options.onClose()
  }
  const close = (reason: LiveEnd) => {
    const wasOpen = state === 'open'
    leave()
    if (!wasOpen) return
    response.end(describeEvent({ type: 'end', data: { reason } }))
    // A reader that takes nothing would keep the connection, and a server that stops would wait for it.
    if (isWriting) response.destroy()
    else setTimeout(() => response.writableFinished || response.destroy(), 1_000).unref()
  }
  response.once('close', leave)
  response.on('error', leave)

  return {
    userId, workspaceId, key, close,
    onHead(head, toldAt) {
      if (head > newest.head) newest = { head, toldAt }
      flush()
    },
    onDoubt() {
      doubtful = ++asked
      if (state === 'open') void checkOrClose()
    },
    onTick(now) {
      if (state !== 'open') return
      if (isWriting && now - wroteAt > stalledMs) {
        figures.countDropped()
        leave()
        response.destroy()
      }
      else if (now >= endAt) close('reopen')
      else if (checking && now - checkStartedAt > checkTimeoutMs) close('unavailable')
      else if (!checking && now >= checkAt) void checkOrClose()
      else if (!isWriting && now - wroteAt >= liveHeartbeatMs) write(':\n\n')
    },
    async open(readHead) {
      const head = await readHead()
      do await check()
      while (answered < doubtful)
      if (state !== 'new') {
        throw createSyncError('DATABASE_UNAVAILABLE', 'The stream was closed before it began. Try again.')
      }
      state = 'open'
      const leftMs = expiresAt === undefined ? Infinity : Date.parse(expiresAt) - Date.now()
      const ms = Math.min(lifeMs * (0.9 + random() / 5), leftMs)
      endAt = performance.now() + ms
      sentHead = Math.max(head, newest.head)
      response.useChunkedEncodingByDefault = false
      response.writeHead(200, {
        'Content-Type': 'text/event-stream; charset=utf-8',
        // A stored stream would be replayed for ever; one that is compressed or buffered comes too late.
        'Cache-Control': 'no-store, no-transform',
        'X-Accel-Buffering': 'no',
        // The body then ends with the connection, and an event is one write instead of three chunks.
        'Connection': 'close',
      })
      write(describeEvent({ type: 'hello', data: { head: sentHead, seconds: Math.round(ms / 1000) } }))
    },
  }
}

function describeEvent({ type, data }: LiveEvent): string {
  return `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}

function nameEnd(error: unknown): LiveEnd {
  if (!isSyncError(error) || error.retryable) return 'unavailable'
  return error.code === 'UNAUTHENTICATED' ? 'unauthenticated' : 'forbidden'
}
