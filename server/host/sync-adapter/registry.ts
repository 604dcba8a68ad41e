/** The layer's own registry of sync adapters, for an app that is no host; it has the functions of a host's. */
import type { SyncGatewayAdapter, SyncGatewayAdapterRegistration } from './types.ts'

const registrations = new Map<string, SyncGatewayAdapterRegistration>()
const instances = new Map<string, SyncGatewayAdapter>()

/** A second registration of an id replaces the first. */
export function registerSyncGatewayAdapter(registration: SyncGatewayAdapterRegistration): void {
  registrations.set(registration.id, registration)
  instances.delete(registration.id)
}

/** One instance per id; null where none is registered. */
export function getSyncGatewayAdapter(id: string): SyncGatewayAdapter | null {
  const known = instances.get(id)
  if (known) return known
  const adapter = registrations.get(id)?.create() ?? null
  if (adapter) instances.set(id, adapter)
  return adapter
}

/** The registered ids, by `order`. */
export function listSyncGatewayAdapterIds(): string[] {
  return [...registrations.values()].sort((a, b) => (a.order ?? 0) - (b.order ?? 0)).map(one => one.id)
}
