/**
 * Tells listeners inside the process of commits: live hints are made of them. It knows which workspaces have a
 * listener, so that a database with several servers asks for the heads of those only.
 */
import { createFeed, type Feed } from '../lib/feed.ts'

/** A workspace's log has grown to `head`; a pull sees it. */
export interface Commit { workspaceId: string, head: number }

export type CommitListener = (commit: Commit) => void

export interface CommitFeed {
  /** To be called after the commit, never before. A head that was told already may be told again. */
  tell(commit: Commit): void
  /** Listens to one workspace, or to all without one. Returns what ends it. */
  listen(listener: CommitListener, workspaceId?: string): () => void
  /** The workspaces that have a listener of their own. */
  readonly workspaceIds: ReadonlySet<string>
  /**
   * Calls `listener` when a workspace gets its first listener, and after its last one has gone. Returns what ends it.
   */
  onListening(listener: (workspaceIds: ReadonlySet<string>) => void): () => void
}

/** Makes the feed of one engine. */
export function createCommitFeed(): CommitFeed {
  const all = createFeed<Commit>('commit')
  const listening = createFeed<ReadonlySet<string>>('listening')
  const byWorkspace = new Map<string, Feed<Commit>>()
  const workspaceIds = new Set<string>()

  const listenToOne = (listener: CommitListener, workspaceId: string) => {
    const feed = byWorkspace.get(workspaceId) ?? createFeed<Commit>('commit')
    const stop = feed.listen(listener)
    if (!workspaceIds.has(workspaceId)) {
      byWorkspace.set(workspaceId, feed)
      workspaceIds.add(workspaceId)
      listening.tell(workspaceIds)
    }
    return () => {
      stop()
      if (feed.size > 0 || byWorkspace.get(workspaceId) !== feed) return
      byWorkspace.delete(workspaceId)
      workspaceIds.delete(workspaceId)
      listening.tell(workspaceIds)
    }
  }
  return {
    workspaceIds,
    tell(commit) {
      all.tell(commit)
      byWorkspace.get(commit.workspaceId)?.tell(commit)
    },
    listen: (listener, workspaceId) => (
      workspaceId === undefined ? all.listen(listener) : listenToOne(listener, workspaceId)
    ),
    onListening: listening.listen,
  }
}
