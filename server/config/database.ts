/**
 * The database's path and pragmas, from the environment and the `or3Sqlite` runtime config (the environment wins). A
 * bad value throws a `ConfigError` that names the setting.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ConfigError, readChoice, readSwitch, toText } from './setting.ts'

export interface DatabaseConfig {
  /** An absolute file path, or `:memory:`. */
  path: string
  journalMode: JournalMode
  synchronous: Synchronous
  /** One sentence for the log, where a default needs the operator's attention. */
  warning?: string | undefined
}

/** A database on a libsql-server, which several servers of this layer may share. */
export interface RemoteConfig {
  /** `libsql:`, `ws:`, `wss:`, `http:` or `https:`, without a token. */
  url: string
  authToken?: string | undefined
  /** A read replica of it; reads go there where it is far enough. */
  replicaUrl?: string | undefined
  /** The least that the server's `PRAGMA synchronous` may be. */
  synchronous: Synchronous
}

/** Without MEMORY and OFF: a crash in these modes can corrupt the file. */
const journalModes = ['WAL', 'DELETE', 'TRUNCATE', 'PERSIST'] as const
const synchronousModes = ['OFF', 'NORMAL', 'FULL', 'EXTRA'] as const
type JournalMode = typeof journalModes[number]
export type Synchronous = typeof synchronousModes[number]

/**
 * The same settings in `runtimeConfig.or3Sqlite`. Nuxt turns a `NUXT_OR3_SQLITE_…` override into a number or boolean.
 */
export interface DatabaseSettings {
  dbPath?: string | undefined
  strict?: boolean | number | string | undefined
  allowInMemory?: boolean | number | string | undefined
  journalMode?: string | undefined
  synchronous?: string | undefined
  authToken?: string | undefined
  replicaUrl?: string | undefined
}

const defaultPath = '.data/or3-layer.db'

/** The database of the server: a file, or a database server. Throws `ConfigError`. */
export function readDatabaseTarget(
  env: Record<string, string | undefined>, settings: DatabaseSettings = settingsOf(env),
): DatabaseConfig | RemoteConfig {
  const read = (name: string, setting: unknown) => ({ name, value: toText(env[name]) || toText(setting) })
  if (read('OR3_SQLITE_SYNC_URL', undefined).value !== '') throw new ConfigError(noEmbeddedReplica)
  const url = read('OR3_SQLITE_DB_PATH', settings.dbPath).value
  if (!isServerUrl(url)) return readDatabaseConfig(env, settings)
  const replicaUrl = read('OR3_SQLITE_REPLICA_URL', settings.replicaUrl).value
  if (replicaUrl !== '') assertServerUrl('OR3_SQLITE_REPLICA_URL', replicaUrl)
  assertServerUrl('OR3_SQLITE_DB_PATH', url)
  return {
    url,
    authToken: read('OR3_SQLITE_AUTH_TOKEN', settings.authToken).value || undefined,
    replicaUrl: replicaUrl || undefined,
    synchronous: readChoice(read('OR3_SQLITE_PRAGMA_SYNCHRONOUS', settings.synchronous), synchronousModes, 'FULL'),
  }
}

/** A command has no runtime config and reads its overrides from the environment. */
function settingsOf(env: Record<string, string | undefined>): DatabaseSettings {
  return {
    dbPath: env['NUXT_OR3_SQLITE_DB_PATH'],
    authToken: env['NUXT_OR3_SQLITE_AUTH_TOKEN'],
    replicaUrl: env['NUXT_OR3_SQLITE_REPLICA_URL'],
  }
}

/** True for the address of a database server. */
export function isServerUrl(given: string): boolean {
  return /^(libsql|wss?|https?):/i.test(given)
}

/** Throws `ConfigError` where it is no usable address, or carries a secret that a log would show. */
function assertServerUrl(name: string, given: string): void {
  const url = isServerUrl(given) && URL.canParse(given) ? new URL(given) : undefined
  if (!url?.host) {
    throw new ConfigError(
      `${name} is not the address of a database server: write it as libsql://host, wss://host or http://host:port.`,
    )
  }
  if (url.username || url.password || url.searchParams.has('authToken')) {
    throw new ConfigError(`${name} must not carry a token, which logs would show: set OR3_SQLITE_AUTH_TOKEN.`)
  }
  if (url.searchParams.has('syncUrl')) throw new ConfigError(noEmbeddedReplica)
}

const noEmbeddedReplica = 'Embedded replicas (syncUrl) are not supported: set OR3_SQLITE_DB_PATH to the primary, and '
  + 'OR3_SQLITE_REPLICA_URL to a read replica of the server.'
/** A new database for each start, in the system's folder for temporary files: for an app's own tests. */
const temporaryPath = ':temporary:'

/** `settings` are the server's runtime config. A command has none and reads the override from the environment. */
export function readDatabaseConfig(
  env: Record<string, string | undefined>, settings: DatabaseSettings = settingsOf(env),
): DatabaseConfig {
  const read = (name: string, setting: unknown) => ({ name, value: toText(env[name]) || toText(setting) })
  if (typeof settings.dbPath === 'object') {
    throw new ConfigError(
      'or3Sqlite.dbPath (or NUXT_OR3_SQLITE_DB_PATH) is an object: set it to the path of the database file, as text.',
    )
  }
  const strict = readSwitch(read('OR3_SQLITE_STRICT', settings.strict), false)
  const allowInMemory = readSwitch(read('OR3_SQLITE_ALLOW_IN_MEMORY', settings.allowInMemory), false)
  const given = read('OR3_SQLITE_DB_PATH', settings.dbPath).value
  const pragmas = {
    journalMode: readChoice(read('OR3_SQLITE_PRAGMA_JOURNAL_MODE', settings.journalMode), journalModes, 'WAL'),
    // FULL: an acknowledged op survives power loss, not only a crash of the process.
    synchronous: readChoice(read('OR3_SQLITE_PRAGMA_SYNCHRONOUS', settings.synchronous), synchronousModes, 'FULL'),
  }

  const foreignDriver = readForeignDriver(env['OR3_SQLITE_DRIVER'])
  if (foreignDriver !== undefined && given === '') {
    throw new ConfigError(
      `OR3_SQLITE_DRIVER is ${JSON.stringify(foreignDriver)}, a setting of another package that this one does not `
      + 'have, and no database is set: unset it, and set OR3_SQLITE_DB_PATH to the path of the database file '
      + '(README, "Settings").',
    )
  }
  if (given === temporaryPath) {
    if (strict) {
      throw new ConfigError(`OR3_SQLITE_STRICT is on and OR3_SQLITE_DB_PATH is "${temporaryPath}", a new `
        + 'database at each start: set it to the path of a file.')
    }
    const path = join(mkdtempSync(join(tmpdir(), 'or3-layer-sqlite-')), 'temporary.db')
    return {
      path,
      ...pragmas,
      warning: `OR3_SQLITE_DB_PATH is "${temporaryPath}": each start has a new database, here ${path}.`,
    }
  }
  if (given === '' && allowInMemory && !strict) return { path: ':memory:', ...pragmas, warning: inMemoryWarning }
  if (given === '') {
    if (strict) {
      throw new ConfigError(
        'OR3_SQLITE_STRICT is on and no database is set: set OR3_SQLITE_DB_PATH to the path of the database file.',
      )
    }
    const path = resolve(defaultPath)
    return {
      path,
      ...pragmas,
      warning: `OR3_SQLITE_DB_PATH is not set: using ${path}. Set it to a path on a disk that is kept.`,
    }
  }
  if (/^(file:)?:memory:($|\?)/.test(given)) {
    if (strict) {
      throw new ConfigError('OR3_SQLITE_STRICT is on and OR3_SQLITE_DB_PATH is ":memory:", which loses all '
        + 'data at the next start: set it to the path of a file.')
    }
    if (!allowInMemory) {
      throw new ConfigError('OR3_SQLITE_DB_PATH is ":memory:", which loses all data at the next '
        + 'start: set OR3_SQLITE_ALLOW_IN_MEMORY=true if that is meant, or a file path.')
    }
    return { path: ':memory:', ...pragmas, warning: inMemoryWarning }
  }
  return { path: readPath(given), ...pragmas }
}

const inMemoryWarning = 'The database is in memory: all data is lost when the server stops.'

/** The URL drizzle-kit opens: the same file as the server's. */
export function databaseUrl(config: DatabaseConfig): string {
  return config.path === ':memory:' ? config.path : pathToFileURL(config.path).href
}

/** What an earlier package called the only kind of database that this one has. */
const ownDrivers = new Set(['', 'sqlite', 'libsql', 'local', 'file', 'better-sqlite3'])

function readForeignDriver(value: string | undefined): string | undefined {
  const driver = toText(value)
  return ownDrivers.has(driver.toLowerCase()) ? undefined : driver
}

/** A shell would have replaced these. A compose file, a systemd unit or a `.env` file passes them on as they are. */
function assertExpanded(given: string) {
  const refuse = (what: string, right: string) => {
    throw new ConfigError(`OR3_SQLITE_DB_PATH is ${given}: ${what}. ${right}`)
  }
  if (/^["'`]|["'`]$/.test(given)) refuse('the quotes would be part of the name', 'Write the path without quotes.')
  if (given.startsWith('~')) refuse('nothing replaces the ~ here', 'Write the whole path, such as /home/ada/sync.db.')
  if (/(?:^|[\\/:])\$(?:\w|\{)|^%\w+%/.test(given)) {
    refuse('nothing replaces the variable here', 'Write the whole path.')
  }
  if ([...given].some(character => character < ' ')) {
    refuse('it has a line break or another control character in it', 'Write the path on one line.')
  }
}

function readPath(given: string): string {
  assertExpanded(given)
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(given)?.[1]?.toLowerCase()
  if (scheme === undefined) return resolve(given)
  if (scheme !== 'file') {
    throw new ConfigError(isServerUrl(given)
      ? 'OR3_SQLITE_DB_PATH is the address of a database server, and this works on a file only: set it to a file path '
      + 'or a file: URL.'
      : `OR3_SQLITE_DB_PATH has the scheme "${scheme}:": set it to a file path, a file: URL, or the address of a `
        + 'database server.')
  }
  if (/[?&]syncUrl=/.test(given)) throw new ConfigError(noEmbeddedReplica)
  if (/[?#]/.test(given)) {
    throw new ConfigError(
      'OR3_SQLITE_DB_PATH must not have URL parameters: give the plain path; OR3_SQLITE_PRAGMA_* set what they would.',
    )
  }
  try {
    return given.startsWith('file://') ? fileURLToPath(given) : resolve(decodeURIComponent(given.slice('file:'.length)))
  }
  catch {
    throw new ConfigError(
      'OR3_SQLITE_DB_PATH is not a usable file: URL: write it as file:///absolute/path.db or as a plain path.',
    )
  }
}
