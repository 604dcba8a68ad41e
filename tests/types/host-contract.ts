/**
 * What the layer registers fits what hosts expect, of February and of the latest, and what hosts hand over fits what the
 * layer takes. There is nothing to run: `tsc -p .` is the test.
 */
import type { createAdminStoreProvider } from '../../server/host/admin/store-provider.ts'
import type { createDeploymentAdminChecker } from '../../server/host/admin/admin-users.ts'
import type { createSyncAdminAdapter } from '../../server/host/admin/sync-status.ts'
import type { createAuthWorkspaceStore } from '../../server/host/auth-store.ts'
import type { AuthWorkspaceStore } from '../../server/workspaces/store/types.ts'
import type { BackgroundJobProvider } from '../../server/host/jobs/types.ts'
import type { createRateLimitProvider } from '../../server/host/rate-limit/provider.ts'
import type { createConnectStore } from '../../server/host/connect/store.ts'
import type { createWebhookStore } from '../../server/host/webhooks/store.ts'
import type { createSyncGatewayAdapter } from '../../server/host/sync-adapter/adapter.ts'
import type * as ours from '../../server/host/sync-adapter/types.ts'
import type * as wire from '../../shared/protocol.ts'
import type * as admin from './admin-shapes.ts'
import type * as host from './host-shapes.ts'
import type * as stores from './store-shapes.ts'

type Fits<From, To> = [From] extends [To] ? true : false
type Check<T extends true> = T
type Refuse<T extends false> = T

type Adapter = ReturnType<typeof createSyncGatewayAdapter>
type Store = ReturnType<typeof createAuthWorkspaceStore>
type Jobs = BackgroundJobProvider<{
  toolCall: admin.HostToolCall, workflow: admin.HostWorkflow, usage: admin.HostUsage, execution: admin.HostExecution
}>

export type WhatWeRegister = [
  Check<Fits<Adapter, host.FebAdapter>>,
  Check<Fits<Adapter, host.LateAdapter>>,
  Check<Fits<Store, host.FebStore>>,
  Check<Fits<Store, host.LateStore>>,
  Check<Fits<ReturnType<typeof createAdminStoreProvider>, admin.HostStoreProvider>>,
  Check<Fits<ReturnType<typeof createSyncAdminAdapter>, admin.HostProviderAdapter>>,
  Check<Fits<ReturnType<typeof createDeploymentAdminChecker>, admin.HostChecker>>,
  Check<Fits<ReturnType<typeof createRateLimitProvider>, admin.HostRateLimits>>,
  Check<Fits<Jobs, admin.FebJobs>>,
  Check<Fits<Jobs, admin.LateJobs>>,
  Check<Fits<ReturnType<typeof createWebhookStore>, stores.HostWebhookStore>>,
  Check<Fits<ReturnType<typeof createConnectStore>, stores.HostConnectStore>>,
]

/** A host's store may take our place where the layer is alone. */
export type WhatWeTake = [
  Check<Fits<host.FebStore, AuthWorkspaceStore>>,
  Check<Fits<host.LateStore, AuthWorkspaceStore>>,
]

export type Requests = [
  Check<Fits<host.FebPullRequest, wire.PullRequest>>,
  Check<Fits<host.LatePullRequest, wire.PullRequest>>,
  Check<Fits<host.FebPushBatch, wire.PushBatch>>,
  Check<Fits<host.LatePushBatch, wire.PushBatch>>,
  Check<Fits<host.LateSnapshotRequest, wire.SnapshotRequest>>,
  Check<Fits<host.CleanUp, wire.CleanUpRequest>>,
  Check<Fits<host.LateReservation, ours.UploadReservation>>,
  Check<Fits<host.LateConsumption, ours.UploadConsumption>>,
  Check<Fits<host.LateStorageQuery, ours.CanonicalStorageRequest>>,
]

/** Answers are the host's to the letter: nothing is promised that is not given, and the other way round. */
export type Answers = [
  Check<Fits<wire.PullResponse, host.FebPullResponse>>,
  Check<Fits<wire.PullResponse, host.LatePullResponse>>, Check<Fits<host.LatePullResponse, wire.PullResponse>>,
  Check<Fits<wire.PushResult, host.FebPushResult>>,
  Check<Fits<wire.PushResult, host.LatePushResult>>, Check<Fits<host.LatePushResult, wire.PushResult>>,
  Check<Fits<wire.SnapshotResponse, host.LateSnapshotResponse>>, Check<Fits<host.LateSnapshotResponse, wire.SnapshotResponse>>,
  Check<Fits<ours.CanonicalStoragePage, host.LateStoragePage>>, Check<Fits<host.LateStoragePage, ours.CanonicalStoragePage>>,
]

/** What must not fit: a check that passes whatever it is given is none. */
export type Controls = [
  Refuse<Fits<Omit<Adapter, 'push'>, host.FebAdapter>>,
  Refuse<Fits<Omit<Adapter, 'reserveUploadIntent'>, host.LateAdapter>>,
  Refuse<Fits<host.FebPullResponse, wire.PullResponse>>,
  Refuse<Fits<BackgroundJobProvider, admin.FebJobs>>,
  Refuse<Fits<(userId: 'ada') => Promise<null>, (userId: string) => Promise<null>>>,
]
