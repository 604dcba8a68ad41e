/**
 * What a host's runtime config says of the layer: an app without these keys has it on. A host that has only sync off
 * still signs its users in by the selected provider's store, and later ones refuse to start without it.
 */
import type { HostSettings } from './register.ts'
import type { JobLimits } from './jobs/types.ts'
import { providerId } from './sync-adapter/adapter.ts'

export function isSelected(config: Record<string, unknown>): boolean {
  const auth = section(config['auth'])
  const sync = section(config['sync'])
  return auth.enabled !== false && (sync.provider === undefined || sync.provider === providerId)
}

/** What the host sets for what it takes beside store and adapter; an empty auth provider where it has none. */
export function readHostSettings(config: Record<string, unknown>): HostSettings {
  const { provider } = section(config['auth'])
  return { authProvider: typeof provider === 'string' ? provider : '', jobLimits: section<JobLimits>(config['backgroundJobs']) }
}

function section<T extends object = { enabled?: unknown, provider?: unknown }>(value: unknown): Partial<T> {
  return typeof value === 'object' && value !== null ? value : {}
}
