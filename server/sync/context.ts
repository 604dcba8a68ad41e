/** What the parts of one engine share. */
import type { SyncDatabase } from '../database/types.ts'
import type { CommitFeed } from './commits.ts'
import type { DeferredDevices } from './deferred-devices.ts'
import type { DiskReserve } from './disk-reserve.ts'
import type { HeadCache } from './push/heads.ts'
import type { Quotas } from './quota.ts'

export interface EngineContext {
  readonly database: SyncDatabase
  readonly heads: HeadCache
  readonly deferredDevices: DeferredDevices
  /** The key that signs page tokens. */
  readTokenKey(): Promise<string>
  readonly quotas: Quotas
  readonly disk: DiskReserve
  readonly commits: CommitFeed
}
