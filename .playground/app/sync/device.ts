/** The parts of one replica that its sync run works on; made by `createReplica`, never seen by a page. */
import type { Decisions } from './decisions.ts'
import type { Entries } from './entries.ts'
import type { HybridClock } from './hlc.ts'
import type { Outbox } from './outbox.ts'
import type { Transport } from './wire.ts'

export interface Device {
  readonly deviceId: string
  readonly workspaceId: string
  readonly transport: Transport
  readonly tables?: string[] | undefined
  readonly batchSize: number
  readonly pageSize: number
  readonly now: () => number
  readonly entries: Entries
  readonly outbox: Outbox
  readonly decisions: Decisions
  readonly clock: HybridClock
  cursor: number
  head: number
  /** The cursor the server was last told. */
  storedCursor: number
  notify(): void
}
