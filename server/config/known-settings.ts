/** Finds settings that nothing reads, which mostly are misspelt: each is told with the known name that is nearest. */

/**
 * Every variable that the layer reads, or refuses by its name, beside the `NUXT_OR3_SQLITE_…` overrides of its runtime
 * config.
 */
export const knownVariables: readonly string[] = [
  'ALLOW_IN_MEMORY', 'AUTH_TOKEN', 'BACKUP_CRON', 'BACKUP_DIR', 'BACKUP_KEEP', 'CLEAN_UP', 'DB_PATH', 'DRIVER',
  'FROM_AUTH_TOKEN', 'METRICS', 'PRAGMA_JOURNAL_MODE', 'PRAGMA_SYNCHRONOUS', 'REPLICA_URL', 'RETENTION_DAYS',
  'SLOW_STATEMENT_MS', 'STRICT', 'SYNC_URL',
].map(name => `OR3_SQLITE_${name}`)

/** A setting whose keys are not listed, as those of `rateLimits`, may hold any. */
type Config = Readonly<Record<string, unknown>>

/**
 * One sentence for each variable that looks like the layer's and is not read. `config` is the layer's runtime config.
 */
export function findUnknownVariables(env: Readonly<Record<string, string | undefined>>, config: Config): string[] {
  const overrides = listPaths(config).map(path => `NUXT_OR3_SQLITE_${path.map(toSnakeCase).join('_')}`)
  // A variable may also set all keys of a group at once, as JSON.
  const isOverride = (name: string) => overrides
    .some(known => name === known || name.startsWith(`${known}_`) || known.startsWith(`${name}_`))
  return Object.keys(env)
    .filter(name => /^(NUXT_)?OR3_SQLITE_/.test(name) && !knownVariables.includes(name) && !isOverride(name))
    .map(name => describe('environment variable', name, [...knownVariables, ...overrides]))
}

/** One sentence for each key of `given` that `known` does not have. `name` is where the keys stand. */
export function findUnknownKeys(name: string, given: Config | undefined, known: Config): string[] {
  return Object.entries(given ?? {}).flatMap(([key, value]) => {
    const own = known[key]
    if (!Object.hasOwn(known, key)) {
      return describe('setting', `${name}.${key}`, Object.keys(known).map(one => `${name}.${one}`))
    }
    return isConfig(own) && isConfig(value) ? findUnknownKeys(`${name}.${key}`, value, own) : []
  })
}

function describe(kind: string, name: string, known: readonly string[]): string {
  const nearest = [...known].sort((a, b) => countEdits(name, a) - countEdits(name, b))[0]
  return `The ${kind} ${name} is not read by or3-layer-sqlite: did you mean ${nearest}?`
}

function listPaths(config: Config): string[][] {
  return Object.entries(config)
    .flatMap(([key, value]) => isConfig(value) ? listPaths(value).map(path => [key, ...path]) : [[key]])
}

function isConfig(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** As Nuxt names the variable of a key. */
function toSnakeCase(key: string): string {
  return key.replaceAll(/([a-z\d])([A-Z])/g, '$1_$2').toUpperCase()
}

/** How many letters must be added, removed or changed (Levenshtein distance). */
function countEdits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    }
    row = next
  }
  return row[b.length]!
}
