/** Tells a live connection of its page: hidden or not, and when the network or the whole machine comes back. */

export interface PageHandlers {
  /** The page is shown, or wakes from a sleep. */
  onShow(): void
  /** The network is there again, perhaps another one; or the page comes back from the back/forward cache. */
  onOnline(): void
  onHide(): void
}

export interface Page {
  readonly isHidden: boolean
  /** Returns what ends it. */
  watch(handlers: PageHandlers): () => void
}

const tickMs = 5_000
/** A timer this much too late: the machine slept. A hidden page's timers come once a minute. */
const sleepMs = 15_000
const hiddenSleepMs = 90_000

/** The page of this tab; a worker's and a server's is never hidden. */
export function createPage(): Page {
  // Neither is there in a worker, or on a server.
  const { document, window } = globalThis as Partial<typeof globalThis>
  const isHidden = () => document?.visibilityState === 'hidden'
  return {
    get isHidden() {
      return isHidden()
    },
    watch({ onShow, onOnline, onHide }) {
      const onVisibility = () => isHidden() ? onHide() : onShow()
      const onPageShow = ({ persisted }: PageTransitionEvent) => persisted && onOnline()
      let tickedAt = Date.now()
      const timer = setInterval(() => {
        const lateMs = Date.now() - tickedAt - tickMs
        tickedAt = Date.now()
        if (lateMs > (isHidden() ? hiddenSleepMs : sleepMs)) onShow()
      }, tickMs)
      const end = new AbortController()
      const { signal } = end
      document?.addEventListener('visibilitychange', onVisibility, { signal })
      window?.addEventListener('online', onOnline, { signal })
      window?.addEventListener('pageshow', onPageShow, { signal })
      return () => {
        clearInterval(timer)
        end.abort()
      }
    },
  }
}
