/**
 * The sync engine of one open database. It owns all that is remembered between requests: cached heads, the
 * key of page tokens, the state of maintenance. After each commit it tells its listeners the workspace's new head.
 */
import type {
  CleanUpRequest, CleanUpResult, PullRequest, PullResponse, PushBatch, PushResult, SnapshotRequest, SnapshotResponse,
  UpdateCursorRequest,
} from '../../shared/protocol.ts'
import type { SyncDatabase } from '../database/types.ts'
import type { Caller, UserCaller } from './caller.ts'
import { type AppliedListener, createAppliedFeed } from './applied.ts'
import { type CommitListener, createCommitFeed } from './commits.ts'
import type { EngineContext } from './context.ts'
import { updateCursor } from './cursors.ts'
import { createDiskReserve } from './disk-reserve.ts'
import { pull, pullText } from './pull.ts'
import { followForeignCommits } from './foreign-commits.ts'
import { readHead } from './log.ts'
import { createGroupedPushes } from './push/grouped-pushes.ts'
import { createHeadCache } from './push/heads.ts'
import { type LazyPushBatch, push, type PushText, pushText } from './push/push.ts'
import { createQuotas, type WorkspaceUsage } from './quota.ts'
import { type CleanAllOptions, type CleanAllResult, cleanAllWorkspaces } from './retention/all-workspaces.ts'
import { type CleanUpOptions, gcChangeLog, gcTombstones } from './retention/clean-up.ts'
import { createMaintenanceLog, type MaintenanceLog } from './retention/maintenance-log.ts'
import { createReplicaReads } from './replica.ts'
import { createServerRows, type ServerRows } from './server-rows.ts'
import { snapshot, snapshotText } from './snapshot.ts'
import { createTokenKey } from './snapshot-token.ts'

export interface SyncEngine {
  readonly database: SyncDatabase
  /** What is known of the last clean-up of all workspaces. */
  readonly maintenance: MaintenanceLog
  push(caller: UserCaller, batch: PushBatch): Promise<PushResult>
  /** The answer of `push` as JSON text, for HTTP; an op may be a function that parses it. */
  pushText(caller: UserCaller, batch: LazyPushBatch): Promise<PushText>
  pull(caller: UserCaller, request: PullRequest): Promise<PullResponse>
  /** The answer of `pull` as JSON text, for HTTP. */
  pullText(caller: UserCaller, request: PullRequest): Promise<string>
  snapshot(caller: UserCaller, request: SnapshotRequest): Promise<SnapshotResponse>
  /** The answer of `snapshot` as JSON text, for HTTP. */
  snapshotText(caller: UserCaller, request: SnapshotRequest): Promise<string>
  updateCursor(caller: UserCaller, request: UpdateCursorRequest): Promise<void>
  /** True where the disk has less left than its reserve, so that puts are refused. */
  isDiskShort(): Promise<boolean> | boolean
  /** What the workspace has used of its quota. */
  readUsage(caller: Caller): Promise<WorkspaceUsage>
  gcChangeLog(caller: Caller, request: CleanUpRequest, options?: CleanUpOptions): Promise<CleanUpResult>
  gcTombstones(caller: Caller, request: CleanUpRequest, options?: CleanUpOptions): Promise<CleanUpResult>
  cleanAllWorkspaces(options: CleanAllOptions): Promise<CleanAllResult>
  /** The workspace's head: 0 before its first change. */
  readHead(caller: Caller): Promise<number>
  /**
   * Calls `listener` after each commit that moved a head, of one workspace or of all; returns what ends that. Only a
   * listener of one workspace also hears of the commits of other servers on the same database.
   */
  onCommit(listener: CommitListener, workspaceId?: string): () => void
  /** Calls `listener` with the applied ops of each commit, after its push was answered; returns what ends that. */
  onApplied(listener: AppliedListener): () => void
  /** Rows for the server's own code. */
  readonly rows: ServerRows
}

/** Makes the engine; once per open database. */
export function createSyncEngine(database: SyncDatabase): SyncEngine {
  const commits = createCommitFeed()
  const applied = createAppliedFeed()
  const quotas = createQuotas(database)
  const context: EngineContext = {
    database,
    heads: createHeadCache(),
    groupedPushes: createGroupedPushes(database.now, quotas),
    replica: createReplicaReads(database),
    readTokenKey: createTokenKey(database),
    quotas,
    disk: createDiskReserve(database),
    commits,
    applied,
  }
  followForeignCommits(database, commits)
  const maintenance = createMaintenanceLog(database)
  return {
    database,
    maintenance,
    push: (caller, batch) => push(context, caller, batch),
    pushText: (caller, batch) => pushText(context, caller, batch),
    isDiskShort: () => context.disk.isShort(),
    readUsage: ({ workspaceId }) => context.quotas.read(workspaceId),
    pull: (caller, request) => pull(context, caller, request),
    pullText: (caller, request) => pullText(context, caller, request),
    snapshot: (caller, request) => snapshot(context, caller, request),
    snapshotText: (caller, request) => snapshotText(context, caller, request),
    updateCursor: (caller, request) => updateCursor(database, caller, request),
    gcChangeLog: (caller, request, options) => gcChangeLog(database, caller, request, options),
    gcTombstones: (caller, request, options) => gcTombstones(database, caller, request, options),
    cleanAllWorkspaces: options => cleanAllWorkspaces(database, maintenance, options),
    readHead: caller => readHead(database, caller.workspaceId),
    onCommit: commits.listen,
    onApplied: applied.listen,
    rows: createServerRows(context),
  }
}
