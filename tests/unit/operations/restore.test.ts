/**
 * What devices learn of a restored backup, whenever they come. Seen red: versions that go on from the backup's head,
 * and a horizon that stays where it was.
 */
import { readFileSync } from 'node:fs'
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { readDatabaseFacts } from '../../../server/host/admin/database-facts.ts'
import { backUp } from '../../../server/operations/backup.ts'
import { restoreBackup } from '../../../server/operations/restore.ts'
import { layerMigrations, openTestDatabase, type TestDatabase } from '../../helpers/database.ts'
import { event, eventOf, putOf, scope, snapshotAll } from '../../helpers/sync.ts'
import { adapterOf, engineOf } from '../../helpers/engine.ts'

async function pushOne(database: TestDatabase, pk: string): Promise<number> {
  const { results } = await adapterOf(database).push(event, { scope, ops: [putOf(pk)] })
  return results[0]!.serverVersion!
}

const pullFrom = (database: TestDatabase, cursor: number) => adapterOf(database).pull(event, { scope, cursor, limit: 100 })

/** Stops the server, puts `from` back, and starts it again. */
async function restore(database: TestDatabase, from: string): Promise<TestDatabase> {
  await database.close()
  await restoreBackup({ from, to: database.path, migrations: layerMigrations })
  return openTestDatabase({ path: database.path })
}

async function makeBackup(database: TestDatabase): Promise<string> {
  const { name } = await backUp(database)
  return join(dirname(database.path), 'backups', name)
}

it('tells a device that comes only when others have pushed more than it ever saw', async () => {
  const before = await openTestDatabase()
  await pushOne(before, 'kept')
  const backup = await makeBackup(before)
  const forgotten = [await pushOne(before, 'forgotten'), await pushOne(before, 'forgotten too')]

  const after = await restore(before, backup)
  const given: number[] = []
  for (let turn = 0; turn < 5; turn++) given.push(await pushOne(after, `new-${turn}`))
  for (const cursor of [0, 1, ...forgotten]) {
    const { requiresSnapshot, changes } = await pullFrom(after, cursor)
    // A client that knows no snapshots misses nothing that came after the restore all the same.
    expect({ cursor, requiresSnapshot, new: changes.filter(change => change.pk.startsWith('new')).length }).toEqual({ cursor, requiresSnapshot: true, new: 5 })
  }
  expect(Math.min(...given)).toBeGreaterThan(Math.max(...forgotten))
  expect(given).toEqual(given.map((_, index) => given[0]! + index))

  const { items, highWatermark } = await snapshotAll(adapterOf(after))
  expect(items.map(item => item.pk)).toEqual(['kept', 'new-0', 'new-1', 'new-2', 'new-3', 'new-4'])
  expect(await pullFrom(after, highWatermark)).toMatchObject({ changes: [], requiresSnapshot: false })
})

it('gives no version twice when the same backup is restored again, nor when the database it replaces is gone', async () => {
  let database = await openTestDatabase()
  await pushOne(database, 'kept')
  const backup = await makeBackup(database)
  const given = [await pushOne(database, 'first')]
  for (const isLost of [false, true, false]) {
    await database.close()
    if (isLost) await rm(database.path)
    database = await restore(database, backup)
    for (let turn = 0; turn < 3; turn++) given.push(await pushOne(database, `row-${turn}`))
  }
  expect(given).toEqual([...new Set(given)].sort((a, b) => a - b))
  expect(Number.isSafeInteger(given.at(-1)! * 1_000)).toBe(true)
})

it('knows of workspaces that are younger than the backup, which a host may still have', async () => {
  const before = await openTestDatabase()
  await pushOne(before, 'kept')
  const backup = await makeBackup(before)
  const young = { scope: { workspaceId: 'young' } }
  await adapterOf(before).push(eventOf('user-1', 'young'), { ...young, ops: [putOf('forgotten')] })
  const after = await restore(before, backup)
  expect(await adapterOf(after).pull(eventOf('user-1', 'young'), { ...young, cursor: 1, limit: 10 })).toMatchObject({ changes: [], requiresSnapshot: true })
})

it('counts what was accepted, and what waits for a clean-up, without the versions it skipped', async () => {
  const before = await openTestDatabase()
  await pushOne(before, 'kept')
  const after = await restore(before, await makeBackup(before))
  await pushOne(after, 'new')
  expect((await readDatabaseFacts(after)).changes).toBe(2)
  expect((await backUp(after)).changes).toBe(2)
  await engineOf(after).cleanAllWorkspaces({ retentionSeconds: 3_600 })
  expect(engineOf(after).maintenance.read().backlog).toBe(1)
  const again = await restore(after, await makeBackup(after))
  expect((await readDatabaseFacts(again)).changes).toBe(2)
})

it('leaves the backup as it was, to be restored again', async () => {
  const database = await openTestDatabase()
  await pushOne(database, 'kept')
  const backup = await makeBackup(database)
  const kept = `${backup}.kept`
  await copyFile(backup, kept)
  await restore(database, backup)
  expect((await readFile(backup)).equals(await readFile(kept))).toBe(true)
})

// Seen red where the file alone was copied: 1 of 3 changes, and 3 told.
it('takes what is only in the log of a file that a server left behind', async () => {
  const before = await openTestDatabase()
  await pushOne(before, 'in the file')
  await before.local!.truncateWal()
  await pushOne(before, 'in the log')
  await pushOne(before, 'in the log too')
  const kept = `${before.path}.kept`
  for (const suffix of ['', '-wal']) await copyFile(`${before.path}${suffix}`, `${kept}${suffix}`)
  await before.close()
  const { changes } = await restoreBackup({ from: kept, to: `${before.path}.new`, migrations: layerMigrations })
  expect(changes).toBe(3)
  const { items } = await snapshotAll(adapterOf(await openTestDatabase({ path: `${before.path}.new` })))
  expect(items.map(item => item.pk)).toEqual(['in the file', 'in the log', 'in the log too'])
})

// Seen red where the old journal stayed: SQLite took it for the restored file's, and damaged that.
it('is not damaged by the journal of a lost file or of a restore that was ended', async () => {
  const before = await openTestDatabase({ env: { OR3_SQLITE_PRAGMA_JOURNAL_MODE: 'DELETE' } })
  for (let turn = 0; turn < 3; turn++) await adapterOf(before).push(event, { scope, ops: Array.from({ length: 100 }, (_, index) => putOf(`row ${turn} ${index}`)) })
  const backup = await makeBackup(before)
  await before.close()
  const journal = makeHotJournal(before.path)
  await rm(before.path)
  await writeFile(`${before.path}-journal`, journal)
  await copyFile(backup, `${before.path}.restoring`)
  await writeFile(`${before.path}.restoring-journal`, journal)

  const { replaced } = await restoreBackup({ from: backup, to: before.path, migrations: layerMigrations })
  expect(replaced).toMatch(/\.replaced-.+-journal$/)
  expect((await readFile(replaced!)).equals(journal)).toBe(true)
  const { items } = await snapshotAll(adapterOf(await openTestDatabase({ path: before.path })))
  expect(items).toHaveLength(300)
  expect((await readdir(dirname(before.path))).filter(name => name.includes('restoring'))).toEqual([])
})

/** What a process leaves beside the file that ends in the middle of a large write. */
function makeHotJournal(path: string): Buffer {
  const database = new DatabaseSync(path)
  database.exec('pragma cache_size = 5; begin immediate')
  database.exec('update changes set payload = \'{}\' || payload')
  const journal = readFileSync(`${path}-journal`)
  database.exec('rollback')
  database.close()
  return journal
}
