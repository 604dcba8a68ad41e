/**
 * Everybody who waits for hints in this process: event streams and waiting pulls. It hands each the newest head of its
 * workspace after a commit, says when rights may have changed, and bounds how many one user has. Upholds P11 and P15.
 */
import { maxLiveListeners, maxLiveListenersInAll } from '../../../shared/limits.ts'
import type { LiveEnd } from '../../../shared/live.ts'
import { createSyncError } from '../../errors.ts'
import type { Commit, CommitListener } from '../../sync/commits.ts'
import type { RightsChange } from '../../workspaces/rights-changes.ts'

export interface LiveListener {
  readonly userId: string
  readonly workspaceId: string
  /** A new listener with the same key of the same user and workspace takes the place of this one. */
  readonly key?: string | undefined
  /** The head has moved; `toldAt` is when its commit was told, on the clock of `performance`. */
  onHead(head: number, toldAt: number): void
  /** The rights may have changed: no hint before they have been read again. */
  onDoubt(): void
  /** Ends it. It removes itself. */
  close(reason: LiveEnd): void
  /** Once a second. */
  onTick(now: number): void
}

export interface LiveFeeds {
  /** Listens to the commits of one workspace. */
  onCommit(listener: CommitListener, workspaceId: string): () => void
  /** Listens to changes of rights. */
  onRightsChange(listener: (change: RightsChange) => void): () => void
}

export interface LiveListeners {
  readonly size: number
  /**
   * Returns what removes it. Throws RATE_LIMITED for a user who has too many, DATABASE_UNAVAILABLE after `closeAll`.
   */
  add(listener: LiveListener): () => void
  /** The sessions of this user may have ended: each of their listeners is closed, and comes back where it still may. */
  endSessions(userId: string): void
  /** Closes all, and refuses new ones from then on. */
  closeAll(reason: LiveEnd): void
}

/** After a 429: one of the others may have ended. */
export const retryLiveSeconds = 30

/** So many writes take a few milliseconds; then the requests that wait have their turn. */
const listenersPerTurn = 200

interface Channel { listeners: Set<LiveListener>, stop: () => void, due: { head: number, toldAt: number } | undefined }

/** Makes the registry; nothing runs while nobody listens. */
export function createLiveListeners({ onCommit, onRightsChange }: LiveFeeds): LiveListeners {
  const channels = new Map<string, Channel>()
  const byUser = new Map<string, Set<LiveListener>>()
  let size = 0
  let isClosed = false
  let stopAll = () => {}

  const start = () => {
    const timer = setInterval(tick, 1_000)
    const stopRights = onRightsChange(doubt)
    stopAll = () => {
      clearInterval(timer)
      stopRights()
    }
  }
  const tick = () => {
    const now = performance.now()
    for (const channel of channels.values()) for (const listener of channel.listeners) listener.onTick(now)
  }
  const doubt = ({ workspaceId, userId }: RightsChange) => {
    const affected = userId === undefined ? channels.get(workspaceId!)?.listeners : byUser.get(userId)
    for (const listener of affected ?? []) {
      if (workspaceId === undefined || listener.workspaceId === workspaceId) listener.onDoubt()
    }
  }
  /**
   * Hints go out once for a group of pushes, and after everything else that the commit starts, such as the end of a
   * membership. The answers of the pushes go first: h3 sends them in the next turn of the loop, hints follow in the
   * turn after it.
   */
  const openChannel = (workspaceId: string): Channel => {
    const channel: Channel = { listeners: new Set(), stop: () => {}, due: undefined }
    const flush = () => {
      const { head, toldAt } = channel.due!
      channel.due = undefined
      const waiting = [...channel.listeners]
      const tellSome = () => {
        for (const listener of waiting.splice(-listenersPerTurn)) listener.onHead(head, toldAt)
        if (waiting.length > 0) setImmediate(tellSome)
      }
      tellSome()
    }
    channel.stop = onCommit(({ head }: Commit) => {
      if (channel.due) channel.due.head = Math.max(channel.due.head, head)
      else {
        channel.due = { head, toldAt: performance.now() }
        setImmediate(() => setImmediate(flush))
      }
    }, workspaceId)
    channels.set(workspaceId, channel)
    return channel
  }
  const remove = (listener: LiveListener) => {
    const { userId, workspaceId } = listener
    const channel = channels.get(workspaceId)
    if (!channel?.listeners.delete(listener)) return
    size--
    if (channel.listeners.size === 0) {
      channel.stop()
      channels.delete(workspaceId)
    }
    const own = byUser.get(userId)!
    own.delete(listener)
    if (own.size === 0) byUser.delete(userId)
    if (size === 0) stopAll()
  }

  return {
    get size() {
      return size
    },
    add(listener) {
      const { userId, workspaceId, key } = listener
      if (isClosed) throw createSyncError('DATABASE_UNAVAILABLE', 'The server is stopping. Try again.')
      if (size >= maxLiveListenersInAll) {
        throw createSyncError('SERVER_BUSY', `Too many live streams are open. Retry after ${retryLiveSeconds}s`)
      }
      const own = byUser.get(userId) ?? new Set()
      const older = [...own].find(one => key !== undefined && one.key === key && one.workspaceId === workspaceId)
      older?.close('reopen')
      if (own.size >= maxLiveListeners) {
        throw createSyncError('RATE_LIMITED', `Rate limit exceeded: ${own.size} live streams of this user are open. `
          + `Retry after ${retryLiveSeconds}s`)
      }
      if (size === 0) start()
      const channel = channels.get(workspaceId) ?? openChannel(workspaceId)
      channel.listeners.add(listener)
      own.add(listener)
      byUser.set(userId, own)
      size++
      return () => remove(listener)
    },
    endSessions(userId) {
      for (const listener of [...byUser.get(userId) ?? []]) listener.close('session')
    },
    closeAll(reason) {
      isClosed = true
      for (const { listeners } of [...channels.values()]) for (const listener of [...listeners]) listener.close(reason)
    },
  }
}
