import { renameSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { eq, sql } from 'drizzle-orm'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readDatabaseConfig } from '../../../server/config/database.ts'
import { createLocalClient } from '../../../server/database/local/client.ts'
import { openDatabase } from '../../../server/database/local/open.ts'
import { assertPragmas } from '../../../server/database/local/pragmas.ts'
import { proveWritable } from '../../../server/database/local/prove-writable.ts'
import { users } from '../../../server/database/schema/index.ts'
import { layerMigrations, makeTempFolder, openTestDatabase, type TestDatabase } from '../../helpers/database.ts'

const insert = (database: TestDatabase, id: string, displayName?: string) =>
  database.write(tx => tx.insert(users).values({ id, displayName, createdAt: 1 }))

it('keeps what was written when it is opened again', async () => {
  const first = await openTestDatabase()
  await Promise.all(Array.from({ length: 5 }, (_, index) => insert(first, `u${index}`)))
  await first.close()

  const again = await openTestDatabase({ path: first.path })
  expect(await again.read.select().from(users).where(eq(users.id, 'u4'))).toEqual([
    { id: 'u4', email: null, displayName: null, activeWorkspaceId: null, createdAt: 1 },
  ])
})

describe('the pragmas', () => {
  const names = ['journal_mode', 'synchronous', 'foreign_keys', 'busy_timeout', 'query_only']
  const valuesOn = (connection: Pick<TestDatabase['read'], 'values'>) =>
    Promise.all(names.map(async name => (await connection.values(sql.raw(`PRAGMA ${name}`)))[0]?.[0]))

  // Seen red with the pragmas set on the first connection only, and with NORMAL for a default.
  it.each([
    [{ OR3_SQLITE_PRAGMA_SYNCHRONOUS: '' }, 'wal', 2],
    [{ OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'normal' }, 'wal', 1],
    [{ OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'off', OR3_SQLITE_PRAGMA_JOURNAL_MODE: 'delete' }, 'delete', 0],
    [{ OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'extra', OR3_SQLITE_PRAGMA_JOURNAL_MODE: 'truncate' }, 'truncate', 3],
    [{ OR3_SQLITE_PRAGMA_JOURNAL_MODE: 'persist' }, 'persist', 1],
  ])('are on both connections with %j', async (env, journalMode, synchronous) => {
    const database = await openTestDatabase({ env })
    expect(await valuesOn(database.read)).toEqual([journalMode, synchronous, 1, 0, 1])
    expect(await database.write(valuesOn)).toEqual([journalMode, synchronous, 1, 0, 0])
  })

  it('change when it is opened again with others', async () => {
    const first = await openTestDatabase({ env: { OR3_SQLITE_PRAGMA_JOURNAL_MODE: 'delete' } })
    await insert(first, 'a')
    await first.close()
    const second = await openTestDatabase({ path: first.path })
    expect((await valuesOn(second.read))[0]).toBe('wal')
    expect(await second.read.$count(users)).toBe(1)
  })
})

describe('in memory', () => {
  it('has one connection, on which reads wait for the writer', async () => {
    const config = readDatabaseConfig({ OR3_SQLITE_DB_PATH: ':memory:', OR3_SQLITE_ALLOW_IN_MEMORY: 'true' })
    const database = await openDatabase(config, { layer: layerMigrations, app: [] })
    const write = database.write(async (tx) => {
      await tx.insert(users).values({ id: 'a', createdAt: 1 })
      await sleep(20)
      await tx.insert(users).values({ id: 'b', createdAt: 1 })
    })
    expect(await database.read.$count(users)).toBe(2)
    await write
    await database.close()
    await database.close()
    await expect(database.write(async () => {})).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  })
})

describe('a file that cannot be used', () => {
  // Seen red with the driver's own message.
  it('is named in one sentence', async () => {
    const folder = await makeTempFolder()
    await mkdir(join(folder, 'folder.db'))
    await writeFile(join(folder, 'text.db'), 'this is no database, but a text that is long enough to be looked at as one')
    await writeFile(join(folder, 'file'), '')
    for (const [name, reason] of [['folder.db', 'it is a folder'], ['text.db', 'it is not an SQLite database'], ['file/x.db', 'EEXIST']]) {
      const path = join(folder, name!)
      const opening = openTestDatabase({ path })
      await expect(opening).rejects.toThrow(reason)
      await expect(opening).rejects.toThrow(`The database ${path} cannot be opened`)
    }
    const again = await openTestDatabase({ path: join(folder, 'good.db') })
    await insert(again, 'a')
  })

  // Seen red with the pragma's answer not looked at.
  it('says which pragma it did not take', async () => {
    const client = createLocalClient({ path: ':memory:', pragmas: ['PRAGMA journal_mode = WAL'] })
    onTestFinished(() => client.close())
    await expect(assertPragmas(client, { journal_mode: { set: 'WAL', is: 'wal' } }))
      .rejects.toThrow('it did not take PRAGMA journal_mode = WAL, it answers memory')
  })

  // Seen red with every error of the write let pass.
  it('is refused where its rights look right and a write fails all the same', async () => {
    const { path } = await openTestDatabase()
    const client = createLocalClient({ path, pragmas: ['PRAGMA query_only = ON'] })
    onTestFinished(() => client.close())
    await expect(proveWritable(client, path, 0)).rejects.toThrow(/^it cannot be written: look at the owner and the rights/)
  })

  // Seen red: it served the file that was opened, and watched the one that had taken its place.
  it('is refused where another file took its place while it was opened', async () => {
    const other = (await openTestDatabase()).path
    const path = join(await makeTempFolder(), 'x.db')
    let isReplaced = false
    const opening = openTestDatabase({
      path,
      wrapClient(client) {
        if (!isReplaced) renameSync(other, path)
        isReplaced = true
        return client
      },
    })
    await expect(opening).rejects.toThrow(`The database ${path} cannot be opened: another file was put in the place of ${path}`)
  })

  // Seen red with the lock kept after the failure.
  it('is free again after a start that failed', async () => {
    const path = join(await makeTempFolder(), 'x.db')
    const edited = [{ ...layerMigrations[0]!, sql: ['SELEKT'] }]
    await expect(openTestDatabase({ path, migrations: { layer: edited } })).rejects.toThrow(path)
    await insert(await openTestDatabase({ path, ownerTimeoutMs: 0 }), 'a')
  })
})

// Seen red: after an EXPLAIN every later read saw what was there then, and the log could not be emptied.
it.each([
  'explain query plan select 1 from users', '/* plan */ explain select 1 from users limit 1', 'pragma table_info(users)', 'values (1), (2)', 'select id from users limit 1',
])('a read sees what was written after "%s"', async (text) => {
  const database = await openTestDatabase()
  await database.read.all(sql.raw(text))
  await database.read.$count(users)
  for (const id of ['a', 'b']) {
    await insert(database, id)
    await database.read.select().from(users)
  }
  expect(await database.read.$count(users)).toBe(2)
  expect(await database.local!.truncateWal()).toBe(true)
})
