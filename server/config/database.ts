/**
 * The database's path and pragmas, from the environment and the `or3Sqlite` runtime config (the environment wins). A bad
 * value throws a `ConfigError` that names the setting.
 */
import { resolve } from 'node:path'
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

/** `settings` are the server's runtime config. A command has none and reads the override from the environment. */
export function readDatabaseConfig(env: Record<string, string | undefined>, settings: DatabaseSettings = { dbPath: env['NUXT_OR3_SQLITE_DB_PATH'] }): DatabaseConfig {
  const read = (name: string, setting: unknown) => ({ name, value: toText(env[name]) || toText(setting) })
  const strict = readSwitch(read('OR3_SQLITE_STRICT', settings.strict), false)
  const allowInMemory = readSwitch(read('OR3_SQLITE_ALLOW_IN_MEMORY', settings.allowInMemory), false)
  const given = read('OR3_SQLITE_DB_PATH', settings.dbPath).value
  const pragmas = {
    journalMode: readChoice(read('OR3_SQLITE_PRAGMA_JOURNAL_MODE', settings.journalMode), journalModes, 'WAL'),
    // FULL: an acknowledged op survives power loss, not only a crash of the process.
    synchronous: readChoice(read('OR3_SQLITE_PRAGMA_SYNCHRONOUS', settings.synchronous), synchronousModes, 'FULL'),
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

function readPath(given: string): string {
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
