/**
 * The operator's settings of the sync protocol: set once while the server starts, read wherever a request is bounded.
 */
import { ConfigError, readNumber, parseBoolean, toText } from './setting.ts'
import * as limits from '../../shared/limits.ts'

const { maxBodyBytes, maxOpsPerPush, maxTrustedProxies, requestsPerMinute } = limits

export type RateLimitedOperation = keyof typeof requestsPerMinute

/** Whole numbers that bound what one client costs, with their defaults; the reasons are in `shared/limits.ts`. */
const fairness = {
  maxBytesInFlight: limits.maxBytesInFlight,
  maxUserBytesInFlight: limits.maxUserBytesInFlight,
  maxRequestsInFlight: limits.maxRequestsInFlight,
  maxUserRequestsInFlight: limits.maxUserRequestsInFlight,
  maxRequestsPerSocket: limits.maxRequestsPerSocket,
  idleSeconds: limits.idleSeconds,
  maxWorkspaceBytes: limits.maxWorkspaceBytes,
  maxWorkspaceRows: limits.maxWorkspaceRows,
  maxOwnerBytes: limits.maxOwnerBytes,
  maxOwnerRows: limits.maxOwnerRows,
  diskReserveBytes: limits.diskReserveBytes,
  maxDevicesPerUser: limits.maxDevicesPerUser,
  logLinesPerMinute: limits.logLinesPerMinute,
} satisfies Record<string, number>

export type FairnessSettings = Record<keyof typeof fairness, number>

export interface SyncSettings extends FairnessSettings {
  maxBodyBytes: number
  maxOpsPerPush: number
  /** Requests a minute and user; sessions a minute and address. Null where there is no limit. */
  rateLimits: Readonly<Record<RateLimitedOperation, number | null>>
  /** The number of proxies in front of the server, each adding an address to X-Forwarded-For. With 0 it is ignored. */
  trustedProxies: number
}

/** The settings in a runtime config, where an environment override may be a string. `false` or 0 means no limit. */
export interface SyncSettingsInput extends Partial<Record<keyof FairnessSettings, number | string | undefined>> {
  maxBodyBytes?: number | string
  maxOpsPerPush?: number | string
  rateLimits?: boolean | string | Partial<Record<RateLimitedOperation, number | string | boolean>>
  trustedProxies?: number | string
  /** How many servers share the database and the requests: each allows its part of the rate limits. */
  servers?: number | string
}

const defaults: SyncSettings = {
  maxBodyBytes, maxOpsPerPush, rateLimits: requestsPerMinute, trustedProxies: 0, ...fairness,
}

let settings = defaults

/** The settings in force. */
export function readSyncSettings(): SyncSettings {
  return settings
}

/** Sets what is given, and the defaults for the rest. Throws `ConfigError`, whose message names the setting. */
export function configureSync(input: SyncSettingsInput = {}): void {
  settings = {
    maxBodyBytes: read('maxBodyBytes', input.maxBodyBytes) ?? defaults.maxBodyBytes,
    maxOpsPerPush: read('maxOpsPerPush', input.maxOpsPerPush) ?? defaults.maxOpsPerPush,
    rateLimits: divide(readRateLimits(input.rateLimits), read('servers', input.servers) ?? 1),
    trustedProxies: readProxies(input.trustedProxies),
    ...readFairness(input),
  }
}

function readFairness(input: SyncSettingsInput): FairnessSettings {
  const names = Object.keys(fairness) as (keyof FairnessSettings)[]
  return Object.fromEntries(names.map(name => [name, read(name, input[name]) ?? fairness[name]])) as FairnessSettings
}

function readRateLimits(input: SyncSettingsInput['rateLimits']): SyncSettings['rateLimits'] {
  if (typeof input !== 'object' || input === null) return readAllRateLimits(input)
  const limits: Record<RateLimitedOperation, number | null> = { ...defaults.rateLimits }
  for (const [operation, value] of Object.entries(input)) {
    if (!isRateLimited(operation)) {
      throw new ConfigError(`or3Sqlite.limits.rateLimits.${operation} is not a limited `
        + `operation: use one of ${Object.keys(limits).join(', ')}.`)
    }
    if (parseBoolean(value) === false) limits[operation] = null
    else if (toText(value) !== 'true') {
      limits[operation] = read(`rateLimits.${operation}`, value) ?? defaults.rateLimits[operation]
    }
  }
  return limits
}

function readAllRateLimits(input: boolean | string | undefined): SyncSettings['rateLimits'] {
  if (toText(input) === '' || parseBoolean(input) === true) return defaults.rateLimits
  if (parseBoolean(input) === false) {
    return {
      'push': null,
      'pull': null,
      'snapshot': null,
      'update-cursor': null,
      'live': null,
      'gc': null,
      'workspaces': null,
      'session': null,
    }
  }
  throw new ConfigError(`or3Sqlite.limits.rateLimits is ${JSON.stringify(input)}: set it to true or false, or to a `
    + 'number for each operation.')
}

/** Each server counts for itself: to count in a shared database would cost a write for each request. */
function divide(limits: SyncSettings['rateLimits'], servers: number): SyncSettings['rateLimits'] {
  if (servers === 1) return limits
  const parts = Object.entries(limits)
    .map(([operation, limit]) => [operation, limit === null ? null : Math.ceil(limit / servers)])
  return Object.fromEntries(parts) as Record<RateLimitedOperation, number | null>
}

function isRateLimited(operation: string): operation is RateLimitedOperation {
  return Object.hasOwn(requestsPerMinute, operation)
}

function readProxies(value: SyncSettingsInput['trustedProxies']): number {
  const count = parseBoolean(value) === false ? 0 : read('trustedProxies', value) ?? defaults.trustedProxies
  if (count > maxTrustedProxies) {
    throw new ConfigError(`or3Sqlite.limits.trustedProxies is ${count}: set it to how `
      + `many proxies stand before the server, at most ${maxTrustedProxies}.`)
  }
  return count
}

function read(name: string, value: unknown): number | undefined {
  return readNumber({ name: `or3Sqlite.limits.${name}`, value }, { least: 1 })
}
