/** T7: how long the event loop stands still while a backup, a clean-up and a snapshot of 20,000 rows go on. Upholds P9. */
import { randomUUID } from 'node:crypto'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import type { SyncDatabase } from '../../server/database/types.ts'
import { backUp } from '../../server/operations/backup.ts'
import { watchLoop } from '../helpers/loop-watch.ts'
import { adapterOf, engineOf } from '../helpers/engine.ts'

/** Of the stops of one course, in milliseconds: the longest, and what 99 of 100 turns of the loop stay under. */
export interface Stops { maxMs: number, p99Ms: number }

export interface LoopDelayFigures {
  rows: number
  backup: Stops
  snapshot: Stops
  cleanUp: Stops
  /** The same watch while somebody does stop the loop: it must see that. */
  control: Stops
}

const workspaceId = 'workspace-1'
const scope = { workspaceId }
const session = { authenticated: true, provider: 'test', providerUserId: 'u', user: { id: 'u' }, workspace: { id: workspaceId, name: 'W' }, role: 'owner' }
const event = { context: { __or3_session_context_1_test: session } } as never

export async function runLoopDelay(database: SyncDatabase, rows: number): Promise<LoopDelayFigures> {
  const adapter = adapterOf(database)
  const push = async (from: number, count: number, clock: number) => {
    const ops = Array.from({ length: count }, (_, index) => {
      const id = `row-${from + index}`
      const stamp = { deviceId: 'device-1', opId: randomUUID(), hlc: `1700000000:000:device-1`, clock }
      const payload = { id, title: 'x'.repeat(500), status: 'ready', pinned: false, deleted: false, created_at: 1, updated_at: 1, clock }
      return { id: stamp.opId, tableName: 'threads', operation: 'put' as const, pk: id, payload, stamp, createdAt: 1, attempts: 0, status: 'pending' as const }
    })
    await adapter.push(event, { scope, ops })
  }
  for (let from = 0; from < rows; from += 500) await push(from, 500, 1)
  for (let from = 0; from < rows; from += 500) await push(from, 500, 2)

  const backup = await watch(async () => {
    const made = backUp(database.local)
    let over = false
    void made.finally(() => over = true)
    for (let from = 0; !over; from = (from + 10) % rows) {
      await push(from, 10, 3)
      await sleep(2)
    }
    await made
  })
  const snapshot = await watch(async () => {
    for (let pageToken: string | undefined; ;) {
      const page = await adapter.snapshot(event, { scope, pageSize: 1000, pageToken })
      if (page.nextPageToken === null) return
      pageToken = page.nextPageToken
      // Each page is a request of its own.
      await turn()
    }
  })
  await database.write(tx => tx.run(sql`update changes set created_at = created_at - 7200 where server_version <= ${rows * 2}`))
  const cleanUp = await watch(() => engineOf(database).cleanAllWorkspaces({ retentionSeconds: 3_600 }))
  const control = await watch(async () => {
    await sleep(10)
    // By the processor's time, since the watch leaves out the time in which there was none to be had.
    const before = process.cpuUsage()
    while (process.cpuUsage(before).user < 250_000);
    await sleep(10)
  })
  return { rows, backup, snapshot, cleanUp, control }
}

async function watch(work: () => Promise<unknown>): Promise<Stops> {
  const loop = watchLoop()
  await work()
  const maxMs = loop.stop()
  return { maxMs, p99Ms: loop.percentile(99) }
}
