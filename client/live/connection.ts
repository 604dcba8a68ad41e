/** One try of an event stream, from the request to its end, with time limits that tell a dead one from a quiet one. */
import { liveHeartbeatMs, type LiveEnd } from '../../shared/live.ts'
import { TransportError, type Transport } from '../transport.ts'
import { readLiveEvents } from './stream.ts'

/** What became of a try. */
export interface Ending {
  /** The stream had begun, so events come through. */
  hasHello: boolean
  /** It was given up because nothing came. */
  isSilent: boolean
  /** What the server said last. */
  end: LiveEnd | undefined
  livedMs: number
  error: TransportError | undefined
}

export interface ConnectionOptions {
  workspaceId: string
  clientId: string
  transport: Transport
  onHello(head: number): void
  onHead(head: number): void
  /** It ended by itself; not after `close`. */
  onEnd(ending: Ending): void
}

export interface Connection {
  /** It has begun, and was heard of within the time of a heartbeat. */
  readonly isFresh: boolean
  close(): void
}

/** A proxy that keeps events back does not say so: no hello within this time. */
const helloMs = 3_000
const silenceMs = 2.5 * liveHeartbeatMs
const freshMs = 1.2 * liveHeartbeatMs

/** Asks for the stream and reads it. */
export function openConnection(options: ConnectionOptions): Connection {
  const abort = new AbortController()
  // A clock that goes on while the machine sleeps.
  const startedAt = Date.now()
  let heardAt = startedAt
  let isSilent = false
  let hasHello = false
  let end: LiveEnd | undefined
  let timer: ReturnType<typeof setTimeout>

  const watch = () => {
    const leftMs = hasHello ? heardAt + silenceMs - Date.now() : startedAt + helloMs - Date.now()
    timer = setTimeout(() => {
      const now = Date.now()
      isSilent = hasHello ? now - heardAt >= silenceMs : now - startedAt >= helloMs
      if (isSilent) abort.abort()
      else watch()
    }, Math.max(10, leftMs))
  }
  const read = async () => {
    const bytes = await options.transport.openLive!(options.workspaceId, options.clientId, abort.signal)
    await readLiveEvents(bytes, (event) => {
      if (event.type === 'end') end = event.data.reason
      else if (event.type === 'head') options.onHead(event.data.head)
      else {
        hasHello = true
        options.onHello(event.data.head)
      }
    }, () => (heardAt = Date.now()))
  }
  const settle = (error: unknown) => {
    clearTimeout(timer)
    const isOurs = abort.signal.aborted && !isSilent
    abort.abort()
    if (isOurs) return
    const livedMs = Date.now() - startedAt
    options.onEnd({ hasHello, isSilent, end, livedMs, error: error instanceof TransportError ? error : undefined })
  }
  watch()
  read().then(settle, settle)

  return {
    get isFresh() {
      return hasHello && Date.now() - heardAt < freshMs
    },
    close() {
      isSilent = false
      clearTimeout(timer)
      abort.abort()
    },
  }
}
