/** Tells listeners inside the process of commits: what live hints are made of. A listener that throws harms nobody else. */
import { consola } from 'consola'

/** A workspace's log has grown to `head`; a pull sees it. */
export interface Commit { workspaceId: string, head: number }

export type CommitListener = (commit: Commit) => void

export interface CommitFeed {
  /** To be called after the commit, never before. */
  tell(commit: Commit): void
  /** Returns what ends it. */
  listen(listener: CommitListener): () => void
}

/** Makes the feed of one engine. */
export function createCommitFeed(): CommitFeed {
  const listeners = new Set<CommitListener>()
  return {
    tell(commit) {
      for (const listener of listeners) {
        try {
          listener(commit)
        }
        catch (error) {
          consola.withTag('or3-sync').error('A commit listener failed:', error)
        }
      }
    },
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
