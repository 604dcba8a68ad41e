import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '@libsql/core/api'
import { describe, expect, it } from 'vitest'
import { createLocalClient } from '../../../server/database/local/client.ts'
import { appLedgerTable, applyMigrations, ledgerTable, MigrationError, type Migration } from '../../../server/database/migrate.ts'
import { layerMigrations, makeTempFolder, openTestDatabase } from '../../helpers/database.ts'

let clock = 1_800_000_000_000
const makeMigration = (...sql: string[]): Migration =>
  ({ sql, folderMillis: clock++, hash: createHash('sha256').update(sql.join()).digest('hex') })

/** Runs `sql` on the closed file. */
async function query(path: string, sql: string) {
  const client = createLocalClient({ path, pragmas: ['PRAGMA foreign_keys = ON'] })
  try {
    return (await client.execute(sql)).rows.map(row => Array.from(row))
  }
  finally {
    client.close()
  }
}
const tableNames = async (path: string) => (await query(path, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)).map(row => row[0])

async function openAndClose(options: Parameters<typeof openTestDatabase>[0]): Promise<string> {
  const database = await openTestDatabase(options)
  await database.close()
  return database.path
}

/** Expects the refusal and that it changed nothing. */
async function expectRefusal(path: string, migrations: { layer?: Migration[], app?: Migration[] }, message: RegExp) {
  const dump = () => query(path, `SELECT name, sql FROM sqlite_master ORDER BY name`)
  const before = await dump()
  const opening = openTestDatabase({ path, migrations })
  await expect(opening).rejects.toThrow(MigrationError)
  await expect(opening).rejects.toThrow(message)
  expect(await dump()).toEqual(before)
}

const posts = makeMigration('CREATE TABLE posts (id INTEGER PRIMARY KEY)')
const tags = makeMigration('CREATE TABLE tags (id INTEGER PRIMARY KEY)')

describe('the layer\'s history', () => {
  it('is applied to a new file, and not again', async () => {
    const path = await openAndClose({})
    const ledger = await query(path, `SELECT hash, created_at FROM ${ledgerTable}`)
    expect(ledger).toEqual(layerMigrations.map(({ hash, folderMillis }) => [hash, folderMillis]))
    expect(await tableNames(path)).toEqual(expect.arrayContaining(['users', 'workspaces', 'changes', 'records', 'logs']))

    const again = await openTestDatabase({ path })
    expect((await stat(`${path}-wal`)).size, 'nothing was written').toBe(0)
    await again.close()
    expect(await query(path, `SELECT hash, created_at FROM ${ledgerTable}`)).toEqual(ledger)
  })

  it('takes what is new in a later release', async () => {
    const path = await openAndClose({})
    await openAndClose({ path, migrations: { layer: [...layerMigrations, posts, tags] } })
    expect(await query(path, `SELECT count(*) FROM ${ledgerTable}`)).toEqual([[layerMigrations.length + 2]])
    expect(await tableNames(path)).toEqual(expect.arrayContaining(['posts', 'tags']))
  })

  // Seen red with each check of `assertLedgerFits`, `assertInOrder` and `assertTables` left out.
  it('is refused when an applied migration was edited', async () => {
    const path = await openAndClose({})
    await expectRefusal(path, { layer: [{ ...layerMigrations[0]!, hash: 'edited' }, ...layerMigrations.slice(1)] },
      /^Migration number 0 of the layer is not the one the database applied/)
  })

  it('is refused when its journal was reordered', async () => {
    const path = await openAndClose({ migrations: { layer: [...layerMigrations, posts, tags] } })
    await expectRefusal(path, { layer: [...layerMigrations, tags, posts] }, /^The migrations of the layer are out of order/)
    const swapped = [{ ...tags, folderMillis: posts.folderMillis }, { ...posts, folderMillis: tags.folderMillis }]
    await expectRefusal(path, { layer: [...layerMigrations, ...swapped] }, /^The migrations of the layer are in another order/)
  })

  it('is refused when a migration came before one that was applied', async () => {
    const path = await openAndClose({ migrations: { layer: [...layerMigrations, tags] } })
    await expectRefusal(path, { layer: [...layerMigrations, posts, tags] }, /in another order|is not the one/)
  })

  it('is refused when the database was made by a newer release', async () => {
    const path = await openAndClose({ migrations: { layer: [...layerMigrations, posts] } })
    await expectRefusal(path, {}, /^The database was made by a newer release of the layer/)
  })

  it.each(['TABLE device_cursors', 'VIEW current_rows'])('is refused when %s is missing', async (what) => {
    const path = await openAndClose({})
    await query(path, `DROP ${what}`)
    await expectRefusal(path, {}, new RegExp(`missing from the database though its migrations ran: ${what.split(' ')[1]}`))
  })

  // Seen red with the ledger of before the transaction: the second migrator found its tables there already.
  it('is accepted when another migrator came first', async () => {
    const path = join(await makeTempFolder(), 'race.db')
    const [first, second] = [1, 2].map(() => createLocalClient({ path, pragmas: ['PRAGMA journal_mode = WAL'] })) as [Client, Client]
    const history = { owner: 'the layer', ledger: ledgerTable, migrations: layerMigrations, required: ['users'] }
    // The worst moment: it has looked, and does not hold the lock yet.
    const overtaken: Client = { ...second, transaction: async () => {
      await applyMigrations(first, history)
      return second.transaction('write')
    } }
    await applyMigrations(overtaken, history)
    first.close()
    second.close()
    expect(await query(path, `SELECT count(*) FROM ${ledgerTable}`)).toEqual([[layerMigrations.length]])
  })

  // Seen red with a commit after each migration.
  it('is applied whole or not at all', async () => {
    const path = join(await makeTempFolder(), 'half.db')
    await expect(openTestDatabase({ path, migrations: { layer: [...layerMigrations, posts, makeMigration('CREATE TABLE tags (id)', 'SELEKT')] } }))
      .rejects.toThrow(`The database ${path} cannot be opened: SQLITE_ERROR`)
    expect(await tableNames(path)).toEqual([])
  })
})

describe('an app\'s own history', () => {
  it('is applied in its own ledger and verified by itself', async () => {
    const path = await openAndClose({ migrations: { app: [posts] } })
    expect(await query(path, `SELECT hash FROM ${appLedgerTable}`)).toEqual([[posts.hash]])
    expect(await query(path, `SELECT count(*) FROM ${ledgerTable}`)).toEqual([[layerMigrations.length]])
    await openAndClose({ path, migrations: { app: [posts, tags] } })
    await expectRefusal(path, { app: [{ ...posts, hash: 'edited' }, tags] }, /of the app is not the one the database applied/)
    await expectRefusal(path, { app: [posts] }, /newer release of the app/)
    await openAndClose({ path, migrations: { app: [] } })
  })

  it('may refer to the layer\'s tables', async () => {
    const stars = makeMigration('CREATE TABLE stars (id TEXT PRIMARY KEY, workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE)')
    const path = await openAndClose({ migrations: { app: [stars] } })
    await expect(query(path, `INSERT INTO stars VALUES ('s', 'nowhere')`)).rejects.toMatchObject({ extendedCode: 'SQLITE_CONSTRAINT_FOREIGNKEY' })
  })

  // Seen red with foreign keys left on: the children went with the old table (drizzle-team/drizzle-orm#4938).
  it('may rebuild a table and keeps its children', async () => {
    const initial = makeMigration('CREATE TABLE parents (id INTEGER PRIMARY KEY)',
      'CREATE TABLE children (id INTEGER PRIMARY KEY, parent_id INTEGER REFERENCES parents ON DELETE CASCADE)')
    const rebuild = makeMigration('PRAGMA foreign_keys=OFF;', 'CREATE TABLE __new_parents (id INTEGER PRIMARY KEY, name TEXT)',
      'INSERT INTO __new_parents (id) SELECT id FROM parents', 'DROP TABLE parents', 'ALTER TABLE __new_parents RENAME TO parents', 'PRAGMA foreign_keys=ON;')
    const path = await openAndClose({ migrations: { app: [initial] } })
    await query(path, 'INSERT INTO parents VALUES (1)')
    await query(path, 'INSERT INTO children VALUES (10, 1)')
    const database = await openTestDatabase({ path, migrations: { app: [initial, rebuild] } })
    const insertOrphan = database.write(tx => tx.run('INSERT INTO children VALUES (11, 9)'))
    await expect(insertOrphan, 'foreign keys are on again').rejects.toThrow()
    await database.close()
    expect(await query(path, 'SELECT * FROM children')).toEqual([[10, 1]])
  })

  // Seen red without `assertReferences`.
  it('is refused when it would leave rows that refer to nothing', async () => {
    const initial = makeMigration('CREATE TABLE parents (id INTEGER PRIMARY KEY)', 'CREATE TABLE children (parent_id INTEGER REFERENCES parents)')
    const path = await openAndClose({ migrations: { app: [initial] } })
    await query(path, 'INSERT INTO parents VALUES (1)')
    await query(path, 'INSERT INTO children VALUES (1)')
    await expectRefusal(path, { app: [initial, makeMigration('DELETE FROM parents')] }, /would leave rows that refer to nothing, in children/)
    expect(await query(path, 'SELECT count(*) FROM parents')).toEqual([[1]])
  })

  // Seen red with `execute`: the driver ran the first statement and dropped the rest without a word.
  it('runs a file that was written without breakpoints', async () => {
    const path = await openAndClose({ migrations: { app: [makeMigration(`-- two at once\nCREATE TABLE one (a); CREATE TABLE two (a);\n`, '-- nothing here\n')] } })
    expect(await tableNames(path)).toEqual(expect.arrayContaining(['one', 'two']))
  })
})
