/** Whether a host's runtime config leaves the layer on; an app without these keys has it on. */
import { providerId } from './sync/gateway/adapter.ts'

export function isSelected(config: Record<string, unknown>): boolean {
  const auth = section(config.auth)
  const sync = section(config.sync)
  return auth.enabled !== false && sync.enabled !== false && (sync.provider === undefined || sync.provider === providerId)
}

function section(value: unknown): { enabled?: unknown, provider?: unknown } {
  return typeof value === 'object' && value !== null ? value : {}
}
