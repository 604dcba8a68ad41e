/** What the parts of one engine share. */
import type { SyncDatabase } from '../database/types.ts'
import type { AppliedFeed } from './applied.ts'
import type { CommitFeed } from './commits.ts'
import type { DeferredDevices } from './deferred-devices.ts'
import type { HeadCache } from './push/heads.ts'

export interface EngineContext {
  readonly database: SyncDatabase
  readonly heads: HeadCache
  readonly deferredDevices: DeferredDevices
  /** The key that signs page tokens. */
  readTokenKey(): Promise<string>
  readonly commits: CommitFeed
  readonly applied: AppliedFeed
}
