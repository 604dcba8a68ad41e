/**
 * What an operator may change of the sync protocol. Set once while the server starts, from the runtime config; read
 * wherever a request is bounded.
 */
import { maxBodyBytes, maxOpsPerPush, maxTrustedProxies, requestsPerMinute } from './limits.ts'

export type RateLimitedOperation = keyof typeof requestsPerMinute

export interface SyncSettings {
  maxBodyBytes: number
  maxOpsPerPush: number
  /** Requests a minute and user, of a session a minute and address; null where there is no limit. */
  rateLimits: Readonly<Record<RateLimitedOperation, number | null>>
  /** How many proxies stand before the server, each adding an address to X-Forwarded-For; with 0 nobody believes the header. */
  trustedProxies: number
}

/** As it stands in a runtime config, where the environment makes everything a string; `false` or 0 is no limit. */
export interface SyncSettingsInput {
  maxBodyBytes?: number | string
  maxOpsPerPush?: number | string
  rateLimits?: boolean | string | Partial<Record<RateLimitedOperation, number | string | boolean>>
  trustedProxies?: number | string
}

const defaults: SyncSettings = { maxBodyBytes, maxOpsPerPush, rateLimits: requestsPerMinute, trustedProxies: 0 }

let settings = defaults

export function readSyncSettings(): SyncSettings {
  return settings
}

/** What is not given stays at its default. Throws an `Error` that names the setting. */
export function configureSync(input: SyncSettingsInput = {}): void {
  settings = {
    maxBodyBytes: readCount('maxBodyBytes', input.maxBodyBytes) ?? defaults.maxBodyBytes,
    maxOpsPerPush: readCount('maxOpsPerPush', input.maxOpsPerPush) ?? defaults.maxOpsPerPush,
    rateLimits: readRateLimits(input.rateLimits),
    trustedProxies: readProxies(input.trustedProxies),
  }
}

function readRateLimits(input: SyncSettingsInput['rateLimits']): SyncSettings['rateLimits'] {
  if (isOff(input)) return { 'push': null, 'pull': null, 'snapshot': null, 'update-cursor': null, 'gc': null, 'session': null }
  if (input === undefined || isOn(input)) return defaults.rateLimits
  if (typeof input !== 'object') throw new Error(`or3Sqlite.limits.rateLimits is ${JSON.stringify(input)}: set it to true or false, or to a number for each operation.`)
  const limits: Record<RateLimitedOperation, number | null> = { ...defaults.rateLimits }
  for (const [operation, value] of Object.entries(input)) {
    if (!isRateLimited(operation)) throw new Error(`or3Sqlite.limits.rateLimits.${operation} is not a limited operation: use one of ${Object.keys(limits).join(', ')}.`)
    if (isOff(value)) limits[operation] = null
    else if (value !== true) limits[operation] = readCount(`rateLimits.${operation}`, value) ?? defaults.rateLimits[operation]
  }
  return limits
}

function isRateLimited(operation: string): operation is RateLimitedOperation {
  return Object.hasOwn(requestsPerMinute, operation)
}

function isOff(value: unknown): value is false | 0 | 'false' | '0' {
  return value === false || value === 0 || value === 'false' || value === '0'
}

function isOn(value: unknown): value is true | 'true' | '1' | '' {
  return value === true || value === 'true' || value === '1' || value === ''
}

function readProxies(value: SyncSettingsInput['trustedProxies']): number {
  const count = isOff(value) ? 0 : readCount('trustedProxies', value) ?? defaults.trustedProxies
  if (count > maxTrustedProxies) throw new Error(`or3Sqlite.limits.trustedProxies is ${count}: set it to how many proxies stand before the server, at most ${maxTrustedProxies}.`)
  return count
}

function readCount(name: string, value: number | string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined
  const count = Number(value)
  if (!Number.isSafeInteger(count) || count < 1) throw new Error(`or3Sqlite.limits.${name} is ${JSON.stringify(value)}: set it to a whole number from 1.`)
  return count
}
