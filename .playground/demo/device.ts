/** A device in memory that syncs only when it is told to, and counts what its runs have cost. */
import {
  createMemoryStorage, createSyncClient, type SyncReport, type SyncStore, type Transport,
} from '../../client/index.ts'
import { tables } from '../shared/tables.ts'

export interface DemoDevice {
  name: string
  store: SyncStore
  sync(): Promise<SyncReport>
  /** Totals of all runs. */
  readonly figures: Figures
  /** Concurrent writes that this device met, by the rule that decided them. */
  readonly conflicts: Record<string, number>
}

export interface Figures {
  pushed: number
  refused: number
  pulled: number
  pages: number
  pushMs: number
  pullMs: number
}

export async function openDevice(
  name: string, transport: Transport, id: { userId: string, workspaceId: string },
): Promise<DemoDevice> {
  const figures: Figures = { pushed: 0, refused: 0, pulled: 0, pages: 0, pushMs: 0, pullMs: 0 }
  const conflicts: Record<string, number> = {}
  const measured: Transport = {
    ...transport,
    push: request => measure('pushMs', () => transport.push(request)),
    async pull(request) {
      figures.pages++
      return measure('pullMs', () => transport.pull(request))
    },
  }
  const client = createSyncClient({ transport: measured, storage: createMemoryStorage(), tables, isAutomatic: false })
  const store = await client.open(id)
  store.onConflict(({ decidedBy }) => (conflicts[decidedBy] = (conflicts[decidedBy] ?? 0) + 1))

  async function measure<T>(key: 'pushMs' | 'pullMs', request: () => Promise<T>): Promise<T> {
    const startedAt = performance.now()
    try {
      return await request()
    }
    finally {
      figures[key] += performance.now() - startedAt
    }
  }

  return {
    name, store, figures, conflicts,
    async sync() {
      const report = await store.sync()
      if (!report) throw new Error(`${name} may not sync.`)
      figures.pushed += report.pushed
      figures.refused += report.refused
      figures.pulled += report.pulled
      return report
    },
  }
}
