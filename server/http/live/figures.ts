/** What the live streams of this process have done, for the metrics. */

export interface LiveFigures {
  readonly hints: number
  readonly dropped: number
  /** `seconds`: from the commit to the write. */
  countHint(seconds: number): void
  countDropped(): void
  /** Calls `listener` with the seconds of each hint. */
  onHint(listener: (seconds: number) => void): void
}

/** Makes the figures of one process. */
export function createLiveFigures(): LiveFigures {
  let hints = 0
  let dropped = 0
  let observe: ((seconds: number) => void) | undefined
  return {
    get hints() {
      return hints
    },
    get dropped() {
      return dropped
    },
    countHint(seconds) {
      hints++
      observe?.(seconds)
    },
    countDropped: () => void dropped++,
    onHint: listener => void (observe = listener),
  }
}
