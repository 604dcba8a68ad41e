/** Tells listeners inside the process of what happened. A listener that throws harms nobody else. */
import { consola } from 'consola'
import { mayLog } from './log-budget.ts'

export type FeedListener<T> = (value: T) => void

export interface Feed<T> {
  /** Calls every listener now. */
  tell(value: T): void
  /** Returns what ends it. */
  listen(listener: FeedListener<T>): () => void
  /** How many listeners there are. */
  readonly size: number
}

/** Makes a feed; `name` stands in the log where a listener fails. */
export function createFeed<T>(name: string): Feed<T> {
  const listeners = new Set<FeedListener<T>>()
  return {
    tell(value) {
      for (const listener of listeners) {
        try {
          listener(value)
        }
        catch (error) {
          if (mayLog()) consola.withTag('or3-sync').error(`A ${name} listener failed:`, error)
        }
      }
    },
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    get size() {
      return listeners.size
    },
  }
}
