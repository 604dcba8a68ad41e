/** Each setting once from the environment, once from the runtime config, and each value that is refused. */
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { databaseUrl, readDatabaseConfig, readDatabaseTarget } from '../../../server/config/database.ts'
import { ConfigError } from '../../../server/config/setting.ts'

describe('the path', () => {
  // Seen red with `resolve` left out, and with `given.slice(5)` left encoded.
  it.each([
    ['/var/lib/app/sync.db', '/var/lib/app/sync.db'],
    ['data/sync.db', resolve('data/sync.db')],
    ['  /padded/sync.db ', '/padded/sync.db'],
    ['file:/var/lib/sync.db', '/var/lib/sync.db'],
    ['file:data/sync.db', resolve('data/sync.db')],
    ['file:///var/lib/a%20b.db', '/var/lib/a b.db'],
    ['file:/var/lib/a%20b.db', '/var/lib/a b.db'],
    ['file://localhost/var/lib/sync.db', '/var/lib/sync.db'],
    ['FILE:/var/lib/sync.db', '/var/lib/sync.db'],
    ['/odd/na:me?#.db', '/odd/na:me?#.db'],
  ])('reads %s', (given, path) => {
    expect(readDatabaseConfig({ OR3_SQLITE_DB_PATH: given })).toEqual({ path, journalMode: 'WAL', synchronous: 'FULL' })
  })

  // Seen red with the scheme check left out: `libsql:…` became a file of that name.
  it.each(['libsql://db.example.org', 'http://127.0.0.1:8080', 'https://db.example.org', 'ws://db.example.org', 'LIBSQL:x'])(
    'refuses the database server %s where a file is needed', (given) => {
      expect(() => readDatabaseConfig({ OR3_SQLITE_DB_PATH: given }))
        .toThrow(/^OR3_SQLITE_DB_PATH is the address of a database server, and this works on a file only/)
    })

  it.each(['file:/a.db?mode=ro', 'file:///a.db#x', 'file://elsewhere/a.db', 'file:///a%2Fb.db', 'file:a%.db'])(
    'refuses the file URL %s', (given) => {
      expect(() => readDatabaseConfig({ OR3_SQLITE_DB_PATH: given })).toThrow(ConfigError)
      expect(() => readDatabaseConfig({ OR3_SQLITE_DB_PATH: given })).toThrow(/^OR3_SQLITE_DB_PATH /)
    })

  // Seen red with `file:${path}`: drizzle-kit opened another file than the server.
  it('gives drizzle-kit a URL of the same file', () => {
    const config = readDatabaseConfig({ OR3_SQLITE_DB_PATH: '/odd/a b#c%20?.db' })
    expect(databaseUrl(config)).toBe('file:///odd/a%20b%23c%2520%3F.db')
    expect(readDatabaseConfig({ OR3_SQLITE_DB_PATH: databaseUrl(config) }).path).toBe(config.path)
  })
})

describe('a path that is not what was meant', () => {
  // Seen red: folders of these names, and an empty database in them.
  it.each([
    ['~/x.db', /nothing replaces the ~ here. Write the whole path/],
    ['"/data/x.db"', /the quotes would be part of the name/],
    ['\'/data/x.db\'', /the quotes would be part of the name/],
    ['$HOME/x.db', /nothing replaces the variable here/],
    ['/data/${NAME}/x.db', /nothing replaces the variable here/],
    ['/data/x.db\n/y', /a line break or another control character/],
  ])('%j is refused by name, also without strict', (given, sentence) => {
    for (const strict of ['false', 'true']) {
      const read = () => readDatabaseConfig({ OR3_SQLITE_DB_PATH: given, OR3_SQLITE_STRICT: strict })
      expect(read).toThrow(sentence)
      expect(read).toThrow(ConfigError)
    }
  })

  it('takes what only looks so', () => {
    for (const given of ['/data/a~b.db', '/data/a$b.db', '/data/it\'s.db']) {
      expect(readDatabaseConfig({ OR3_SQLITE_DB_PATH: given }).path).toBe(given)
    }
  })

  // Seen red: a file called [object Object].
  it('an object, as Nuxt makes one of JSON, is refused', () => {
    const settings = { dbPath: { a: 1 } as unknown as string }
    expect(() => readDatabaseConfig({}, settings)).toThrow(/is an object: set it to the path of the database file/)
  })

  // Seen red: an empty local file.
  it.each(['turso', 'd1', 'bun'])('OR3_SQLITE_DRIVER=%s of an earlier installation without a path is refused', (driver) => {
    expect(() => readDatabaseConfig({ OR3_SQLITE_DRIVER: driver })).toThrow(/OR3_SQLITE_DRIVER is ".*unset it, and set OR3_SQLITE_DB_PATH/)
    expect(readDatabaseConfig({ OR3_SQLITE_DRIVER: driver, OR3_SQLITE_DB_PATH: '/a.db' }).path).toBe('/a.db')
    expect(readDatabaseConfig({ OR3_SQLITE_DRIVER: 'libsql' }).path).toBe(resolve('.data/or3-layer.db'))
  })

  it(':temporary: is another file each time, and refused by strict', () => {
    const env = { OR3_SQLITE_DB_PATH: ':temporary:' }
    const paths = [readDatabaseConfig(env).path, readDatabaseConfig(env).path]
    expect(new Set(paths).size).toBe(2)
    expect(readDatabaseConfig(env).warning).toContain('each start has a new database')
    expect(() => readDatabaseConfig({ ...env, OR3_SQLITE_STRICT: 'true' })).toThrow(/OR3_SQLITE_STRICT is on/)
  })
})

describe('a missing path', () => {
  // Seen red with the strict check after the default.
  it('is the default with one warning, and with strict it is refused with what to set', () => {
    const config = readDatabaseConfig({})
    expect(config.path).toBe(resolve('.data/or3-layer.db'))
    expect(config.warning).toContain('OR3_SQLITE_DB_PATH is not set')
    expect(() => readDatabaseConfig({ OR3_SQLITE_STRICT: 'true' })).toThrow(/OR3_SQLITE_STRICT is on.*set OR3_SQLITE_DB_PATH/)
    expect(() => readDatabaseConfig({ OR3_SQLITE_STRICT: 'true', OR3_SQLITE_ALLOW_IN_MEMORY: 'true' })).toThrow(ConfigError)
  })

  it('is no warning once a path is set', () => {
    expect(readDatabaseConfig({ OR3_SQLITE_DB_PATH: '/a.db', OR3_SQLITE_STRICT: '1' })).not.toHaveProperty('warning')
  })
})

describe(':memory:', () => {
  // Seen red with `allowInMemory` taken as true.
  it.each([':memory:', 'file::memory:', 'file::memory:?cache=shared'])('%s needs leave, warns, and is refused by strict', (given) => {
    const env = { OR3_SQLITE_DB_PATH: given }
    expect(() => readDatabaseConfig(env)).toThrow(/loses all data.*OR3_SQLITE_ALLOW_IN_MEMORY=true/)
    const config = readDatabaseConfig({ ...env, OR3_SQLITE_ALLOW_IN_MEMORY: 'true' })
    expect(config).toMatchObject({ path: ':memory:', warning: expect.stringContaining('in memory') as string })
    expect(databaseUrl(config)).toBe(':memory:')
    expect(() => readDatabaseConfig({ ...env, OR3_SQLITE_ALLOW_IN_MEMORY: 'true', OR3_SQLITE_STRICT: 'true' }))
      .toThrow(/OR3_SQLITE_STRICT is on/)
  })

  it('is what allowing it without a path means', () => {
    expect(readDatabaseConfig({ OR3_SQLITE_ALLOW_IN_MEMORY: '1' })).toMatchObject({ path: ':memory:' })
  })
})

describe('the pragmas', () => {
  it.each([
    ['OR3_SQLITE_PRAGMA_JOURNAL_MODE', 'journalMode', ['WAL', 'DELETE', 'TRUNCATE', 'PERSIST']],
    ['OR3_SQLITE_PRAGMA_SYNCHRONOUS', 'synchronous', ['OFF', 'NORMAL', 'FULL', 'EXTRA']],
  ] as const)('%s takes its values in any case', (variable, key, values) => {
    for (const value of values) {
      expect(readDatabaseConfig({ OR3_SQLITE_DB_PATH: '/a.db', [variable]: ` ${value.toLowerCase()} ` })[key]).toBe(value)
    }
  })

  // Seen red with the fallback instead of the error.
  it.each([
    ['OR3_SQLITE_PRAGMA_JOURNAL_MODE', 'MEMORY', /one of WAL, DELETE, TRUNCATE, PERSIST/],
    ['OR3_SQLITE_PRAGMA_JOURNAL_MODE', 'WAL; DROP TABLE users', /one of WAL/],
    ['OR3_SQLITE_PRAGMA_SYNCHRONOUS', '2', /one of OFF, NORMAL, FULL, EXTRA/],
    ['OR3_SQLITE_STRICT', 'yes', /true or false/],
    ['OR3_SQLITE_ALLOW_IN_MEMORY', 'on', /true or false/],
  ])('%s=%s is refused by name', (variable, value, choices) => {
    const read = () => readDatabaseConfig({ OR3_SQLITE_DB_PATH: '/a.db', [variable]: value })
    expect(read).toThrow(ConfigError)
    expect(read).toThrow(`${variable} is ${JSON.stringify(value)}`)
    expect(read).toThrow(choices)
  })
})

describe('the runtime config', () => {
  const settings = { dbPath: '/set.db', strict: true, allowInMemory: false, journalMode: 'delete', synchronous: 'normal' }

  it('says the same as the environment', () => {
    expect(readDatabaseConfig({}, settings)).toEqual({ path: '/set.db', journalMode: 'DELETE', synchronous: 'NORMAL' })
    expect(() => readDatabaseConfig({}, { strict: true })).toThrow(/OR3_SQLITE_STRICT is on/)
    expect(readDatabaseConfig({}, { allowInMemory: 'true' }).path).toBe(':memory:')
    expect(() => readDatabaseConfig({}, { strict: 'maybe' })).toThrow(/^OR3_SQLITE_STRICT is "maybe"/)
  })

  it('gives way to the environment', () => {
    expect(readDatabaseConfig({
      OR3_SQLITE_DB_PATH: '/env.db', OR3_SQLITE_PRAGMA_JOURNAL_MODE: 'WAL', OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'EXTRA',
    }, settings)).toEqual({ path: '/env.db', journalMode: 'WAL', synchronous: 'EXTRA' })
    expect(readDatabaseConfig({ OR3_SQLITE_STRICT: 'false' }, { strict: true }).warning).toContain('OR3_SQLITE_DB_PATH')
  })

  // Seen red with `env.… ?? settings.…`: an empty variable turned strict off.
  it('stands where a variable is empty', () => {
    const env = { OR3_SQLITE_DB_PATH: ' ', OR3_SQLITE_STRICT: '', OR3_SQLITE_PRAGMA_JOURNAL_MODE: '', OR3_SQLITE_PRAGMA_SYNCHRONOUS: '' }
    expect(readDatabaseConfig(env, settings)).toEqual({ path: '/set.db', journalMode: 'DELETE', synchronous: 'NORMAL' })
    expect(() => readDatabaseConfig(env, { strict: true })).toThrow(ConfigError)
  })

  // Seen red with `value.trim()` on what may be a number: NUXT_OR3_SQLITE_STRICT=1 arrives as one.
  it('takes the numbers that overrides become', () => {
    expect(() => readDatabaseConfig({}, { strict: 1 })).toThrow(/OR3_SQLITE_STRICT is on/)
    expect(readDatabaseConfig({}, { strict: 0, allowInMemory: 1 }).path).toBe(':memory:')
  })
})

describe('a database server', () => {
  it('is read with its token and its replica, from the environment or the runtime config', () => {
    const env = { OR3_SQLITE_DB_PATH: 'ws://db:8080', OR3_SQLITE_AUTH_TOKEN: 'secret', OR3_SQLITE_REPLICA_URL: 'ws://replica:8080' }
    const config = { url: 'ws://db:8080', authToken: 'secret', replicaUrl: 'ws://replica:8080', synchronous: 'FULL' }
    expect(readDatabaseTarget(env)).toEqual(config)
    expect(readDatabaseTarget({}, { dbPath: 'ws://db:8080', authToken: 'secret', replicaUrl: 'ws://replica:8080' })).toEqual(config)
    expect(readDatabaseTarget({ OR3_SQLITE_DB_PATH: 'libsql://db.example.org' })).toEqual({ url: 'libsql://db.example.org', synchronous: 'FULL' })
    expect(readDatabaseTarget({ OR3_SQLITE_DB_PATH: '/a.db' })).toMatchObject({ path: '/a.db' })
  })

  // Seen red with the checks left out: the token stood in the message of a server that cannot be reached.
  it.each([
    [{ OR3_SQLITE_DB_PATH: 'ws://user:secret@db' }, /must not carry a token/],
    [{ OR3_SQLITE_DB_PATH: 'libsql://db?authToken=secret' }, /must not carry a token/],
    [{ OR3_SQLITE_DB_PATH: 'http:' }, /is not the address of a database server/],
    [{ OR3_SQLITE_DB_PATH: 'ws://db', OR3_SQLITE_REPLICA_URL: '/a.db' }, /OR3_SQLITE_REPLICA_URL is not the address/],
    [{ OR3_SQLITE_DB_PATH: 'file:a.db?syncUrl=libsql://db' }, /Embedded replicas/],
    [{ OR3_SQLITE_DB_PATH: 'a.db', OR3_SQLITE_SYNC_URL: 'libsql://db' }, /Embedded replicas/],
  ])('is refused as %o', (env, why) => {
    expect(() => readDatabaseTarget(env)).toThrow(ConfigError)
    expect(() => readDatabaseTarget(env)).toThrow(why)
    expect(() => readDatabaseTarget(env)).not.toThrow(/secret/)
  })
})
