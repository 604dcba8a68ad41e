/** Stands in for the host's registry of sync adapters in an app that is no host: its own routes call the engine. */
import type { SyncGatewayAdapterRegistration } from './types.ts'

/** Keeps nothing, for nothing here would ask. */
export function registerSyncGatewayAdapter(_registration: SyncGatewayAdapterRegistration): void {}
