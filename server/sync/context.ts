/** What the parts of one engine share. */
import type { SyncDatabase } from '../database/types.ts'
import type { AppliedFeed } from './applied.ts'
import type { CommitFeed } from './commits.ts'
import type { GroupedWrite } from '../database/remote/grouped-writes.ts'
import type { DiskReserve } from './disk-reserve.ts'
import type { GroupedPush } from './push/grouped-pushes.ts'
import type { HeadCache } from './push/heads.ts'
import type { PushOutcome } from './push/merge.ts'
import type { Quotas } from './quota.ts'
import type { ReplicaReads } from './replica.ts'

export interface EngineContext {
  readonly database: SyncDatabase
  readonly heads: HeadCache
  /** How a database that runs writes in groups runs pushes. */
  readonly groupedPushes: GroupedWrite<GroupedPush, PushOutcome>
  readonly replica: ReplicaReads
  /** The key that signs page tokens. */
  readTokenKey(): Promise<string>
  readonly quotas: Quotas
  readonly disk: DiskReserve
  readonly commits: CommitFeed
  readonly applied: AppliedFeed
}
