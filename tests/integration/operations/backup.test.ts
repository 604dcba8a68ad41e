import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, copyFile, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { backUp, listBackups, readLastBackupAt } from '../../../server/operations/backup.ts'
import { restoreBackup } from '../../../server/operations/restore.ts'
import { layerMigrations, openTestDatabase, type TestDatabase } from '../../helpers/database.ts'
import { event, payloads, pullAll, putOf, scope, snapshotAll } from '../../helpers/sync.ts'
import { adapterOf } from '../../helpers/engine.ts'

const put = (pk: string) => putOf(pk, { tableName: 'threads', payload: payloads.threads(pk) })
const pushOne = (database: TestDatabase, pk: string) => adapterOf(database).push(event, { scope, ops: [put(pk)] })
const commandPath = fileURLToPath(new URL('../../../bin/or3-layer-sqlite.js', import.meta.url))
const folderOf = ({ path }: TestDatabase) => join(dirname(path), 'backups')

/** `path` opened, and nothing written to it. */
const openCopy = async (path: string) => adapterOf(await openTestDatabase({ path }))

// Goes red when the file is copied without its log (`copyFile` for the child).
it('copies under load what was acknowledged before it began, equal to a replay up to its version', async () => {
  const database = await openTestDatabase()
  for (let turn = 0; turn < 30; turn++) await pushOne(database, `before-${turn}`)
  let writing = true
  const load = (async () => {
    for (let turn = 0; writing; turn++) await pushOne(database, `during-${turn % 50}`)
  })()
  const backups = []
  for (let turn = 0; turn < 3; turn++) backups.push(await backUp(database))
  writing = false
  await load
  const all = (await pullAll(adapterOf(database))).changes
  for (const { name, changes } of backups) {
    expect(changes).toBeGreaterThanOrEqual(30)
    const copy = await openCopy(join(folderOf(database), name))
    expect((await pullAll(copy)).changes).toEqual(all.slice(0, changes))
    const { items } = await snapshotAll(copy)
    expect(items).toHaveLength(new Set(all.slice(0, changes).map(change => change.pk)).size)
  }
}, 60_000)

it('keeps the last few, leaves other files alone, and makes one copy when asked twice', async () => {
  const database = await openTestDatabase()
  const folder = folderOf(database)
  await mkdir(folder)
  await writeFile(join(folder, 'sync-notes.db'), 'mine')
  const [first, second] = await Promise.all([backUp(database, { keep: 2 }), backUp(database, { keep: 2 })])
  expect(second).toEqual(first)
  await backUp(database, { keep: 2 })
  const last = await backUp(database, { keep: 2 })
  expect(last.removed).toBe(1)
  const kept = await listBackups(database.path)
  expect(kept).toHaveLength(2)
  expect(kept[0]).toMatchObject({ name: last.name, bytes: last.bytes })
  expect(await readLastBackupAt(database)).toBe(last.createdAt)
  expect((await readdir(folder)).sort()).toEqual([...kept.map(backup => backup.name), 'sync-notes.db'].sort())
})

it('leaves nothing behind where it cannot copy', async () => {
  const folder = join(dirname((await openTestDatabase()).path), 'backups')
  const path = join(dirname(folder), 'broken.db')
  await writeFile(path, 'not a database, but long enough to look at'.repeat(500))
  await expect(backUp({ path })).rejects.toThrow(/not a database/)
  await expect(backUp({ path: ':memory:' })).rejects.toThrow(/in memory/)
  expect(await readdir(folder)).toEqual([])
})

// Seen red: the folder made, and only "unable to open database file" said.
it('makes nothing where there is no database', async () => {
  const { path } = await openTestDatabase()
  const elsewhere = join(dirname(path), 'elsewhere')
  await mkdir(elsewhere)
  await expect(backUp({ path: join(elsewhere, 'sync.db') })).rejects.toThrow(/no database file.*OR3_SQLITE_DB_PATH/)
  expect(await readdir(elsewhere)).toEqual([])
})

it('restores a verified copy, keeps what was there, and refuses while a server has it', async () => {
  const database = await openTestDatabase()
  await pushOne(database, 'early')
  const { name } = await backUp(database)
  await pushOne(database, 'late')
  const restore = { from: join(folderOf(database), name), to: database.path, migrations: layerMigrations }
  await expect(restoreBackup(restore)).rejects.toThrow(/Another server process/)
  await database.close()

  const { replaced } = await restoreBackup(restore)
  expect((await pullAll(await openCopy(replaced!))).changes.map(change => change.pk)).toEqual(['early', 'late'])
  const restored = await openTestDatabase({ path: database.path })
  expect((await pullAll(adapterOf(restored))).changes.map(change => change.pk)).toEqual(['early'])
  // P10: a device that knows of the late change must not go on in silence.
  expect(await adapterOf(restored).pull(event, { scope, cursor: 2, limit: 10 })).toMatchObject({ changes: [], requiresSnapshot: true })
})

// Seen red: a private database's copy for everybody to read, and a restored one that its server could not write.
it('keeps to whom the database was readable, and whose it was', async () => {
  const database = await openTestDatabase()
  await pushOne(database, 'row')
  const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)
  const isRoot = process.getuid!() === 0
  const ownerOf = async (path: string) => (await stat(path)).uid
  await chmod(database.path, 0o600)
  if (isRoot) await chown(database.path, 65_534, 65_534)
  const { name } = await backUp(database)
  const backup = join(folderOf(database), name)
  expect(await modeOf(backup)).toBe('600')
  await database.close()
  await chmod(backup, 0o644)
  if (isRoot) await chown(backup, 0, 0)
  await restoreBackup({ from: backup, to: database.path, migrations: layerMigrations })
  expect(await modeOf(database.path)).toBe('600')
  for (const file of [database.path, `${database.path}-owner`]) expect(await ownerOf(file)).toBe(isRoot ? 65_534 : process.getuid!())
})

it('refuses to restore what is damaged, foreign, newer, or the database itself, and changes nothing', async () => {
  const database = await openTestDatabase()
  for (let turn = 0; turn < 50; turn++) await pushOne(database, `row-${turn}`)
  const { name } = await backUp(database)
  await database.close()
  const whole = join(folderOf(database), name)
  const before = await readFile(database.path)
  const damaged = join(folderOf(database), 'damaged.db')
  const bytes = await readFile(whole)
  bytes.fill(0x5a, 4096 * 2 + 8, 4096 * 6)
  await writeFile(damaged, bytes)
  const refusal = (from: string, migrations = layerMigrations) =>
    restoreBackup({ from, to: database.path, migrations }).then(() => 'restored', String)

  expect(await refusal(damaged)).toMatch(/no whole database|not whole/)
  expect(await refusal(`${whole}.gone`)).toMatch(/no readable file/)
  expect(await refusal(whole, [])).toMatch(/newer release/)
  expect(await refusal(whole, layerMigrations.map(one => ({ ...one, hash: 'other' })))).toMatch(/other migrations/)
  expect(await refusal(database.path)).toMatch(/the database itself/)
  expect((await readFile(database.path)).equals(before)).toBe(true)
})

it('is a command for a running server, and one that refuses to restore beside it', async () => {
  const database = await openTestDatabase()
  await pushOne(database, 'row')
  const env = { ...process.env, OR3_SQLITE_DB_PATH: database.path }
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['--no-warnings', commandPath, ...args], { env })
  expect((await run('backup')).stdout).toMatch(/1 changes, verified/)
  // The name that README gives for a runtime config; without it the command would copy another file.
  const { OR3_SQLITE_DB_PATH: path, ...others } = env
  const byRuntimeConfig = promisify(execFile)(process.execPath, ['--no-warnings', commandPath, 'backup'], { env: { ...others, NUXT_OR3_SQLITE_DB_PATH: path } })
  expect((await byRuntimeConfig).stdout).toMatch(/1 changes, verified/)
  const [backup] = await listBackups(database.path)
  const file = join(folderOf(database), backup!.name)
  await expect(run('restore', file)).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/stop it/) })
  await expect(run('restore')).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/^Usage/) })
  await database.close()
  const elsewhere = join(dirname(database.path), 'kept.db')
  await copyFile(file, elsewhere)
  expect((await run('restore', elsewhere)).stdout).toMatch(/1 workspaces, 1 changes/)
})

// Seen red where the command did not listen: the backup went on to its end.
it('ends when it is told to, and leaves nothing behind', async () => {
  const { path, write, close } = await openTestDatabase()
  await write(tx => tx.run(sql.raw('insert into users (id, display_name, created_at) with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000) select i, hex(randomblob(2000)), 1 from n')))
  await close()
  const folder = join(dirname(path), 'backups')
  const command = execFile(process.execPath, [commandPath, 'backup'], { env: { ...process.env, OR3_SQLITE_DB_PATH: path } })
  let complaint = ''
  command.stderr!.on('data', (text: string) => complaint += text)
  const ended = once(command, 'close')
  await expect.poll(() => readdir(folder).catch(() => []), { interval: 5, timeout: 40_000 }).not.toEqual([])
  command.kill('SIGTERM')
  expect(await ended).toEqual([1, null])
  expect(complaint).toMatch(/was stopped/)
  expect(await readdir(folder)).toEqual([])
})
