/** What a host's runtime config says of the layer: an app without these keys has it on. */
import { providerId } from './sync/gateway/adapter.ts'

export function isSelected(config: Record<string, unknown>): boolean {
  const auth = section(config.auth)
  const sync = section(config.sync)
  return auth.enabled !== false && sync.enabled !== false && (sync.provider === undefined || sync.provider === providerId)
}

/** The host's auth provider; empty where the app has no such setting. */
export function readAuthProviderId(config: Record<string, unknown>): string {
  const { provider } = section(config.auth)
  return typeof provider === 'string' ? provider : ''
}

function section(value: unknown): { enabled?: unknown, provider?: unknown } {
  return typeof value === 'object' && value !== null ? value : {}
}
