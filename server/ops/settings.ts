/** What an operator may set of the room, from the environment and the `or3Sqlite` runtime config (the environment wins). */
import { ConfigError } from '../db/config.ts'

export interface OpsSettings {
  /** Whether the scheduled clean-up runs. */
  cleanUp: boolean
  retentionSeconds: number
  /** Whether `GET /api/metrics` answers. */
  metrics: boolean
  /** A statement that takes longer is logged; 0 for none. */
  slowStatementMs: number
}

type Text = string | number | boolean

/** As in `runtimeConfig.or3Sqlite`, where the environment makes everything a string. */
export interface OpsSettingsInput {
  cleanUp?: Text
  retentionDays?: Text
  metrics?: Text
  slowStatementMs?: Text
}

const secondsPerDay = 86_400
/** Twice what a device is away on holiday; behind it a snapshot brings everything back. */
const defaultRetentionDays = 30
const maxRetentionDays = 365
/** A push of 1,000 ops takes a tenth of it. */
const defaultSlowStatementMs = 200

let settings: OpsSettings = read({}, {})

export function readOpsSettings(): OpsSettings {
  return settings
}

/** Throws `ConfigError`, whose message names the setting. */
export function configureOps(env: Record<string, string | undefined>, input: OpsSettingsInput = {}): void {
  settings = read(env, input)
}

function read(env: Record<string, string | undefined>, input: OpsSettingsInput): OpsSettings {
  const given = (name: string, setting: Text | undefined) => ({ name, text: (env[name]?.trim() || String(setting ?? '')).trim() })
  return {
    cleanUp: readSwitch(given('OR3_SQLITE_CLEAN_UP', input.cleanUp), true),
    retentionSeconds: readNumber(given('OR3_SQLITE_RETENTION_DAYS', input.retentionDays), defaultRetentionDays, 1, maxRetentionDays) * secondsPerDay,
    metrics: readSwitch(given('OR3_SQLITE_METRICS', input.metrics), false),
    slowStatementMs: readNumber(given('OR3_SQLITE_SLOW_STATEMENT_MS', input.slowStatementMs), defaultSlowStatementMs, 0, 3_600_000),
  }
}

interface Given { name: string, text: string }

function readSwitch({ name, text }: Given, fallback: boolean): boolean {
  switch (text.toLowerCase()) {
    case '': return fallback
    case 'true': case '1': return true
    case 'false': case '0': return false
    default: throw new ConfigError(`${name} is ${JSON.stringify(text)}: set it to true or false.`)
  }
}

function readNumber({ name, text }: Given, fallback: number, least: number, most: number): number {
  if (text === '') return fallback
  const value = Number(text)
  if (!Number.isInteger(value) || value < least || value > most) throw new ConfigError(`${name} is ${JSON.stringify(text)}: set it to a whole number from ${least} to ${most}.`)
  return value
}
