/**
 * The tabs of one browser that have the same store open: a BroadcastChannel between them, and a Web Lock whose holder
 * talks to the server. Without Web Locks (plain http outside localhost) each tab talks to the server for itself.
 */
import type { Commit } from './types.ts'

export type TabMessage
  /** A transaction was stored under `seq`; without `commit` it can only be read from the store. */
  = | { kind: 'commit', seq: number, commit?: Commit | undefined, isFold?: boolean | undefined }
    /** What the leading tab knows of the server; asked for by `ask`. */
    | { kind: 'shared', shared: SharedStatus }
    | { kind: 'ask' }
    /** To the leading tab: sync now; the server's head is said to be `head`. */
    | { kind: 'pull', head?: number | undefined }
    /** The user's switch, of all tabs. */
    | { kind: 'online', isOnline: boolean }
    | { kind: 'resume' }
    /** This tab is in view. */
    | { kind: 'seen' }

/** The part of the status that only the leading tab can know. */
export interface SharedStatus {
  isSyncing: boolean
  lastSyncAt: number | undefined
  error: { message: string, status: number, code: string, retryAt: number | undefined } | undefined
  stopped: 'unauthenticated' | 'forbidden' | undefined
  live: { mode: 'stream' | 'long-poll' | 'polling' | 'off', reason: string }
}

export interface Tabs {
  post(message: TabMessage): void
  /** True where this tab is to talk to the server. */
  readonly isLeader: boolean
  /** Leaves the other tabs: this one goes on for itself, in memory. */
  detach(): void
  close(): void
}

export interface TabsOptions {
  name: string
  locks: LockManager | undefined
  channel: BroadcastChannel | undefined
  onMessage(message: TabMessage): void
  onLead(): void
}

/** Joins the tabs of the store `name`, and leads as soon as no other tab does. */
export function joinTabs({ name, locks, channel, onMessage, onLead }: TabsOptions): Tabs {
  let isLeader = false
  let isClosed = false
  const leaving = new AbortController()
  let release = () => {}

  const lead = () => {
    if (isClosed || isLeader) return
    isLeader = true
    onLead()
  }
  if (channel) channel.onmessage = ({ data }: MessageEvent<TabMessage>) => onMessage(data)
  if (locks) {
    void locks.request(`or3-sync:${name}`, { signal: leaving.signal }, () => new Promise<void>((resolve) => {
      release = resolve
      lead()
    })).catch(() => {
      // Given up while waiting; or the browser refuses locks here, and this tab syncs for itself.
      if (!leaving.signal.aborted) lead()
    })
  }
  else {
    queueMicrotask(lead)
  }

  const leave = () => {
    leaving.abort()
    release()
    channel?.close()
    channel = undefined
  }
  return {
    get isLeader() {
      return isLeader
    },
    post(message) {
      channel?.postMessage(message)
    },
    detach() {
      leave()
      lead()
    },
    close() {
      isClosed = true
      isLeader = false
      leave()
    },
  }
}
