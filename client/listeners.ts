/** Lists of listeners. What an app's own function throws is reported as the page's error, and stops nothing here. */
export interface Listeners<Args extends unknown[]> {
  readonly size: number
  /** Returns a function that ends it. */
  add(listener: (...args: Args) => void): () => void
  tell(...args: Args): void
}

/** Creates an empty set of listeners. */
export function createListeners<Args extends unknown[] = []>(): Listeners<Args> {
  const listeners = new Set<(...args: Args) => void>()
  return {
    get size() {
      return listeners.size
    },
    add(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    tell: (...args) => listeners.forEach(listener => callSafely(() => listener(...args))),
  }
}

/** Runs a function of the app. */
export function callSafely(work: () => void): void {
  try {
    work()
  }
  catch (error) {
    if (typeof reportError === 'function') reportError(error)
    else {
      queueMicrotask(() => {
        throw error
      })
    }
  }
}
