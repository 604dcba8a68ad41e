/** The operator's settings, from the environment and the `or3Sqlite` runtime config (the environment wins). */
import { readNumber, readSwitch, toText } from './setting.ts'

export interface OpsSettings {
  /** Whether the scheduled clean-up runs. */
  cleanUp: boolean
  retentionSeconds: number
  /** Whether `GET /api/metrics` answers. */
  metrics: boolean
  /** A statement that takes longer is logged, in ms; 0 logs none. */
  slowStatementMs: number
}

type Text = string | number | boolean

/** The settings in `runtimeConfig.or3Sqlite`, where an environment override may be a string. */
export interface OpsSettingsInput {
  cleanUp?: Text
  retentionDays?: Text
  metrics?: Text
  slowStatementMs?: Text
}

const secondsPerDay = 86_400
/** Longer than a device is usually away. A device that was away longer takes a snapshot. */
const defaultRetentionDays = 30
const maxRetentionDays = 365
/** Ten times what a push of 1,000 ops takes. */
const defaultSlowStatementMs = 200

let settings: OpsSettings = read({}, {})

/** The settings of the operations endpoints as they were configured last. */
export function readOpsSettings(): OpsSettings {
  return settings
}

/** Throws `ConfigError`, whose message names the setting. */
export function configureOps(env: Record<string, string | undefined>, input: OpsSettingsInput = {}): void {
  settings = read(env, input)
}

function read(env: Record<string, string | undefined>, input: OpsSettingsInput): OpsSettings {
  const given = (name: string, setting: Text | undefined) => ({ name, value: toText(env[name]) || toText(setting) })
  const retentionDays = readNumber(
    given('OR3_SQLITE_RETENTION_DAYS', input.retentionDays), { least: 1, most: maxRetentionDays },
  ) ?? defaultRetentionDays
  return {
    cleanUp: readSwitch(given('OR3_SQLITE_CLEAN_UP', input.cleanUp), true),
    retentionSeconds: retentionDays * secondsPerDay,
    metrics: readSwitch(given('OR3_SQLITE_METRICS', input.metrics), false),
    slowStatementMs: readNumber(
      given('OR3_SQLITE_SLOW_STATEMENT_MS', input.slowStatementMs), { least: 0, most: 3_600_000 },
    ) ?? defaultSlowStatementMs,
  }
}
