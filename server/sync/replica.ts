/**
 * Pulls from a read replica, which lags behind. Only a page that ends before the replica's head comes from there: what
 * is at the head, beyond it or behind the horizon is the primary's to say. So a device never misses its own write, nor
 * is it told of a snapshot because the replica is late.
 */
import type { Executor } from '../database/statement.ts'
import type { SyncDatabase } from '../database/types.ts'

interface Parts {
  client: Executor
  parts: readonly { head: number | null, more: number }[]
}

export interface ReplicaReads {
  /** Reads by `readParts`, from the replica where it is far enough. */
  read<T extends Parts>(workspaceId: string, cursor: number, readParts: (client: Executor) => Promise<T>): Promise<T>
}

const maxHeads = 10_000

/** A head that was seen says only where to ask first; nothing is answered from it. */
export function createReplicaReads({ read, replica }: SyncDatabase): ReplicaReads {
  const heads = new Map<string, number>()
  return {
    async read(workspaceId, cursor, readParts) {
      if (replica && cursor < (heads.get(workspaceId) ?? 0)) {
        const found = await readParts(replica.$client).catch(() => undefined)
        if (found?.parts.at(-1)!.more === 1) return found
      }
      const found = await readParts(read.$client)
      if (replica) {
        if (heads.size >= maxHeads) heads.clear()
        heads.set(workspaceId, found.parts.at(-1)!.head ?? 0)
      }
      return found
    },
  }
}
