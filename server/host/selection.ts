/**
 * Reads from a host's runtime config whether the layer is on; without these keys it is. With only sync off the host
 * still signs its users in by the selected provider's store, and later hosts refuse to start without it.
 */
import type { HostSettings } from './register.ts'
import type { JobLimits } from './jobs/types.ts'
import { providerId } from './sync-adapter/adapter.ts'

/** False where sign-in is off, or another sync provider is selected. */
export function isSelected(config: Record<string, unknown>): boolean {
  const auth = section(config['auth'])
  const sync = section(config['sync'])
  return auth.enabled !== false && (sync.provider === undefined || sync.provider === providerId)
}

/** The host's settings for the optional parts; the auth provider is empty where the host has none. */
export function readHostSettings(config: Record<string, unknown>): HostSettings {
  const { provider } = section(config['auth'])
  const jobLimits = section<JobLimits>(config['backgroundJobs'])
  return { authProvider: typeof provider === 'string' ? provider : '', jobLimits }
}

function section<T extends object = { enabled?: unknown, provider?: unknown }>(value: unknown): Partial<T> {
  return typeof value === 'object' && value !== null ? value : {}
}
