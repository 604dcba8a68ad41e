/**
 * The layer's own registry of `AuthWorkspaceStore`s, used where no host brings one.
 * `create` runs on every look-up, as it does there: a store keeps its state outside the instance.
 */
import type { AuthWorkspaceStore, AuthWorkspaceStoreRegistration } from './types.ts'

const registrations = new Map<string, AuthWorkspaceStoreRegistration>()

/** A second registration of one id replaces the first. */
export function registerAuthWorkspaceStore(registration: AuthWorkspaceStoreRegistration): void {
  registrations.set(registration.id, registration)
}

/** The store with this id, or null. */
export function getAuthWorkspaceStore(id: string): AuthWorkspaceStore | null {
  return registrations.get(id)?.create() ?? null
}
