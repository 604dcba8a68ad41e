/**
 * Registers the optional parts with the registries that the host has: admin pages, rate limits, background jobs,
 * webhooks, OR3 Connect. A host without one of them lacks no more than that. An app that is no host has none of them.
 */
import { createDeploymentAdminChecker } from './admin/admin-users.ts'
import { createAdminStoreProvider } from './admin/store-provider.ts'
import { createSyncAdminAdapter } from './admin/sync-status.ts'
import type { AdminStoreProvider, DeploymentAdminChecker, ProviderAdminAdapter } from './admin/types.ts'
import { createBackgroundJobProvider } from './jobs/provider.ts'
import { type BackgroundJobProvider, isJobRefusal, type JobLimits } from './jobs/types.ts'
import { createRateLimitProvider } from './rate-limit/provider.ts'
import type { RateLimitProvider } from './rate-limit/types.ts'
import type { SyncEngine } from '../sync/engine.ts'
import { providerId } from './sync-adapter/adapter.ts'
import { answerHostMethods } from './errors.ts'
import { createConnectStore } from './connect/store.ts'
import { ConnectStoreError, type ConnectStoreRegistration } from './connect/types.ts'
import { createWebhookStore } from './webhooks/store.ts'
import type { EmitSystemHook } from './webhooks/system-hooks.ts'
import type { WebhookStoreRegistration } from './webhooks/types.ts'

interface CheckerRegistration { id: string, create: () => DeploymentAdminChecker }

/** The host's functions, as `modules/build/host-registries.ts` finds them. */
export interface HostRegistries {
  registerAdminStoreProvider?: (provider: AdminStoreProvider) => void
  registerProviderAdminAdapter?: (adapter: ProviderAdminAdapter) => void
  /** Some hosts take the id and the factory, others one object with both. */
  registerDeploymentAdminChecker?:
    | ((id: string, create: () => DeploymentAdminChecker) => void)
    | ((registration: CheckerRegistration) => void)
  registerRateLimitProvider?: (id: string, provider: RateLimitProvider) => void
  registerBackgroundJobProvider?: (id: string, provider: BackgroundJobProvider) => void
  /** A host that has this registry opens the database file by itself where no store of this id is registered. */
  registerWebhookStore?: (registration: WebhookStoreRegistration) => void
  registerConnectStore?: (registration: ConnectStoreRegistration) => void
  /** No registry: the sync adapter calls it after each commit. */
  emitWebhookSystemHook?: EmitSystemHook
}

export interface HostSettings {
  /** The auth provider whose user ids the host's administrators name. */
  authProvider: string
  /** The limits that the host sets. */
  jobLimits: Partial<JobLimits>
}

/** Registers synchronously: a host checks its registries right after the plugins have run. */
export function registerWithHost(
  registries: HostRegistries,
  engine: () => Promise<SyncEngine>,
  { authProvider, jobLimits }: HostSettings,
): void {
  const database = async () => (await engine()).database
  registries.registerAdminStoreProvider?.(createAdminStoreProvider(database, authProvider))
  registries.registerProviderAdminAdapter?.(answerHostMethods('The admin page', createSyncAdminAdapter(engine)))
  const rateLimits = createRateLimitProvider(database)
  registries.registerRateLimitProvider?.(providerId, answerHostMethods('The rate limits', rateLimits))
  const jobs = createBackgroundJobProvider(database, { limits: jobLimits })
  registries.registerBackgroundJobProvider?.(providerId, answerHostMethods('The background jobs', jobs, isJobRefusal))
  registries.registerWebhookStore?.({
    id: providerId,
    create: () => answerHostMethods('The webhooks', createWebhookStore(database)),
  })
  registries.registerConnectStore?.({
    id: providerId, create: () => answerHostMethods('OR3 Connect', createConnectStore(database), isConnectRefusal),
  })
  const register = registries.registerDeploymentAdminChecker
  const create = () => answerHostMethods('The admin checker', createDeploymentAdminChecker(database))
  if (register && takesOneObject(register)) register({ id: providerId, create })
  else register?.(providerId, create)
}

function isConnectRefusal(error: unknown): boolean {
  return error instanceof ConnectStoreError
}

type RegisterChecker = NonNullable<HostRegistries['registerDeploymentAdminChecker']>

function takesOneObject(register: RegisterChecker): register is (registration: CheckerRegistration) => void {
  return register.length < 2
}
