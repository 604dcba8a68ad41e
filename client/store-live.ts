/**
 * The live connection of a store's tabs: the leading tab has it, as long as the user's switch is on and the session has
 * not ended. The other tabs say when they are in view, so that a hidden leader does not let go while one of them is.
 */
import { createLive } from './live/live.ts'
import { createPage, type Page } from './live/page.ts'
import type { SyncLoop } from './sync/loop.ts'
import type { SharedStatus, TabMessage } from './tabs.ts'
import type { Transport } from './transport.ts'

export interface StoreLiveOptions {
  workspaceId: string
  transport: Transport
  paceMs: number
  isEnabled: boolean
  loop: SyncLoop
  random: () => number
  /** The newest version that the store knows of. */
  head(): number
  isLeader(): boolean
  /** Whether the session has ended. */
  stopped(): SharedStatus['stopped']
  share(change: Partial<SharedStatus>): void
  post(message: TabMessage): void
  page?: Page | undefined
}

export interface StoreLive {
  /** Something that decides whether to be connected may have changed. */
  update(): void
  setOnline(isOnline: boolean): void
  setPace(ms: number): void
  /** Another tab is in view. */
  see(): void
  close(): void
}

/** While hints come, polling is what finds a lost one. */
const slowPaceMs = 60_000
/** A tab in view says so this often; the leading one lets go after five minutes. */
const seenMs = 60_000

/** Creates it; `update` connects. */
export function createStoreLive(options: StoreLiveOptions): StoreLive {
  const { loop, page = createPage() } = options
  let paceMs = options.paceMs
  let isSlow = false
  let isOnline = true
  let isClosed = false
  let isRunning = false
  const setPace = () => loop.setPace(isSlow ? Math.max(slowPaceMs, paceMs) : paceMs)
  const live = createLive({
    workspaceId: options.workspaceId,
    transport: options.transport,
    random: options.random,
    page,
    head: options.head,
    hint: loop.requestPull,
    requestPull: loop.wake,
    setSlow(value) {
      if (isSlow === value) return
      isSlow = value
      setPace()
    },
    show: shown => options.share({ live: shown }),
  })
  const sayInView = () => {
    if (!page.isHidden && !options.isLeader()) options.post({ kind: 'seen' })
  }
  const timer = options.isEnabled ? setInterval(sayInView, seenMs) : undefined
  const unwatch = options.isEnabled ? page.watch({ onShow: sayInView, onOnline() {}, onHide() {} }) : () => {}

  const update = () => {
    const stopped = options.stopped()
    const isWanted = options.isEnabled && options.isLeader() && isOnline && stopped === undefined && !isClosed
    if (isWanted === isRunning) return
    isRunning = isWanted
    if (isWanted) live.start()
    else if (isClosed) live.stop()
    else live.pause(stopped ?? 'switched off')
  }
  return {
    update,
    setOnline(value) {
      isOnline = value
      update()
    },
    setPace(ms) {
      paceMs = ms
      setPace()
    },
    see: live.see,
    close() {
      isClosed = true
      clearInterval(timer)
      unwatch()
      update()
    },
  }
}
