/**
 * The layer's own registry of `AuthWorkspaceStore`s, used where no host brings one; the same functions as the host's.
 * `create` runs on every look-up, as it does there: a store keeps its state outside the instance.
 */
import type { AuthWorkspaceStore, AuthWorkspaceStoreRegistration } from './types.ts'

const registrations = new Map<string, AuthWorkspaceStoreRegistration>()

/** A second registration of one id replaces the first. */
export function registerAuthWorkspaceStore(registration: AuthWorkspaceStoreRegistration): void {
  registrations.set(registration.id, registration)
}

/** The store with this id, or null; without an id the one of the lowest order. */
export function getAuthWorkspaceStore(id?: string): AuthWorkspaceStore | null {
  const registration = id === undefined ? byOrder()[0] : registrations.get(id)
  return registration?.create() ?? null
}

/** The ids of the registered stores, in their order. */
export function listAuthWorkspaceStoreIds(): string[] {
  return byOrder().map(registration => registration.id)
}

function byOrder(): AuthWorkspaceStoreRegistration[] {
  return [...registrations.values()].sort((a, b) => (a.order ?? 0) - (b.order ?? 0))
}
