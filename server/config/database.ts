/**
 * The database's path and pragmas, from the environment and the `or3Sqlite` runtime config (the environment wins). A bad
 * value throws a `ConfigError` that names the setting.
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

/** Without MEMORY and OFF: a crash in these modes can corrupt the file. */
const journalModes = ['WAL', 'DELETE', 'TRUNCATE', 'PERSIST'] as const
const synchronousModes = ['OFF', 'NORMAL', 'FULL', 'EXTRA'] as const
type JournalMode = typeof journalModes[number]
type Synchronous = typeof synchronousModes[number]

/** The same settings in `runtimeConfig.or3Sqlite`. Nuxt turns a `NUXT_OR3_SQLITE_…` override into a number or boolean. */
export interface DatabaseSettings {
  dbPath?: string | undefined
  strict?: boolean | number | string | undefined
  allowInMemory?: boolean | number | string | undefined
  journalMode?: string | undefined
  synchronous?: string | undefined
}

export const defaultPath = '.data/or3-layer.db'

/** A new database for each start, in the system's folder for temporary files: for an app's own tests. */
const temporaryPath = ':temporary:'

/** `settings` are the server's runtime config. A command has none and reads the override from the environment. */
export function readDatabaseConfig(env: Record<string, string | undefined>, settings: DatabaseSettings = { dbPath: env['NUXT_OR3_SQLITE_DB_PATH'] }): DatabaseConfig {
  const read = (name: string, setting: unknown) => ({ name, value: toText(env[name]) || toText(setting) })
  if (typeof settings.dbPath === 'object') {
    throw new ConfigError('or3Sqlite.dbPath (or NUXT_OR3_SQLITE_DB_PATH) is an object: set it to the path of the database file, as text.')
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
    throw new ConfigError(`OR3_SQLITE_DRIVER is ${JSON.stringify(foreignDriver)}, a setting of another package that this one does not have, and no database is set: unset it, and set OR3_SQLITE_DB_PATH to the path of the database file (README, "Settings").`)
  }
  if (given === temporaryPath) {
    if (strict) throw new ConfigError(`OR3_SQLITE_STRICT is on and OR3_SQLITE_DB_PATH is "${temporaryPath}", a new database at each start: set it to the path of a file.`)
    const path = join(mkdtempSync(join(tmpdir(), 'or3-layer-sqlite-')), 'temporary.db')
    return { path, ...pragmas, warning: `OR3_SQLITE_DB_PATH is "${temporaryPath}": each start has a new database, here ${path}.` }
  }
  if (given === '' && allowInMemory && !strict) return { path: ':memory:', ...pragmas, warning: inMemoryWarning }
  if (given === '') {
    if (strict) throw new ConfigError('OR3_SQLITE_STRICT is on and no database is set: set OR3_SQLITE_DB_PATH to the path of the database file.')
    const path = resolve(defaultPath)
    return { path, ...pragmas, warning: `OR3_SQLITE_DB_PATH is not set: using ${path}. Set it to a path on a disk that is kept.` }
  }
  if (/^(file:)?:memory:($|\?)/.test(given)) {
    if (strict) throw new ConfigError('OR3_SQLITE_STRICT is on and OR3_SQLITE_DB_PATH is ":memory:", which loses all data at the next start: set it to the path of a file.')
    if (!allowInMemory) throw new ConfigError('OR3_SQLITE_DB_PATH is ":memory:", which loses all data at the next start: set OR3_SQLITE_ALLOW_IN_MEMORY=true if that is meant, or a file path.')
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
  if (/(?:^|[\\/:])\$(?:\w|\{)|^%\w+%/.test(given)) refuse('nothing replaces the variable here', 'Write the whole path.')
  if (/[\0-\x1f]/.test(given)) refuse('it has a line break or another control character in it', 'Write the path on one line.')
}

function readPath(given: string): string {
  assertExpanded(given)
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(given)?.[1]?.toLowerCase()
  if (scheme === undefined) return resolve(given)
  if (scheme !== 'file') {
    throw new ConfigError(`OR3_SQLITE_DB_PATH has the scheme "${scheme}:", and remote databases are not supported yet: set it to a file path or a file: URL.`)
  }
  if (/[?#]/.test(given)) throw new ConfigError('OR3_SQLITE_DB_PATH must not have URL parameters: give the plain path; OR3_SQLITE_PRAGMA_* set what they would.')
  try {
    return given.startsWith('file://') ? fileURLToPath(given) : resolve(decodeURIComponent(given.slice('file:'.length)))
  }
  catch {
    throw new ConfigError('OR3_SQLITE_DB_PATH is not a usable file: URL: write it as file:///absolute/path.db or as a plain path.')
  }
}
