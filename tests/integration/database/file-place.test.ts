/** T19: whose the file is, what it is, and what is in it. */
import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, open, readdir, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it, vi } from 'vitest'
import { makeTempFolder } from '../../helpers/database.ts'
import { requireServer, spawnServer } from '../../helpers/spawned-server.ts'

// Each starts processes of its own.
vi.setConfig({ testTimeout: 240_000 })

const nobody = 65_534
const isRoot = process.getuid?.() === 0
if (!isRoot) console.warn('Not the superuser: the tests with another owner are left out.')
const asNobody = { through: ['setpriv', '--reuid', String(nobody), '--clear-groups'] }

// Seen red: it started, health said writable, and each write was refused.
it.runIf(isRoot)('refuses to start where the files beside the database belong to another user', async () => {
  const folder = await makeTempFolder()
  const path = join(folder, 'a.db')
  const first = await requireServer(path)
  await first.push('a')
  await first.stop('SIGKILL')
  await chown(folder, nobody, nobody)
  await chown(path, nobody, nobody)
  await chown(`${path}-owner`, nobody, nobody)
  expect(await spawnServer(path, asNobody)).toBe(`The database ${path} cannot be opened: a.db-wal belongs to user 0 and is not writable by this user (${nobody}): give it to the user that runs the server (chown)`)
})

it.runIf(isRoot)('names a folder that may not be written, and one without execute right', async () => {
  const folder = await makeTempFolder()
  await chmod(folder, 0o755)
  const path = join(folder, 'a.db')
  expect(await spawnServer(path, asNobody)).toMatch(/the file cannot be made \(EACCES\): give its folder to the user/)
  await writeFile(path, '')
  await chown(path, nobody, nobody)
  expect(await spawnServer(path, asNobody)).toMatch(/its folder .* belongs to user 0 and is not writable by this user/)
  await chown(folder, nobody, nobody)
  await chmod(folder, 0o600)
  expect(await spawnServer(path, asNobody)).toMatch(/cannot be made \(EACCES\)|is not writable by this user/)
})

it.each<[string, (path: string) => unknown, string]>([
  ['a folder', path => mkdir(path), 'it is a folder: set OR3_SQLITE_DB_PATH to the path of a file in it'],
  ['a pipe', path => void execFileSync('mkfifo', [path]), 'it is not a regular file but a pipe, a socket or a device'],
  ['a text', path => writeFile(path, 'a text that is long enough to be taken for a header of a database'), 'it is not an SQLite database'],
  ['another application\'s database', path => makeDatabase(path, 'DELETE'), 'it is another application\'s database (it has the tables bookmarks)'],
  ['another application\'s database with a log', path => makeDatabase(path, 'WAL'), 'it is another application\'s database (it has the tables bookmarks)'],
])('refuses %s with one sentence, and leaves nothing behind', async (_, make, sentence) => {
  const folder = await makeTempFolder()
  const path = join(folder, 'x.db')
  await make(path)
  const said = await spawnServer(path)
  expect(said).toContain(`The database ${path} cannot be opened: ${sentence}`)
  expect(String(said).split('\n')).toHaveLength(1)
  expect(await readdir(folder)).toEqual(['x.db'])
})

// Seen red with the driver's text: "table users already exists".
it('says in a sentence that the list of migrations was emptied', async () => {
  const path = join(await makeTempFolder(), 'a.db')
  await (await requireServer(path)).stop()
  const file = new DatabaseSync(path)
  file.exec('delete from __or3_layer_migrations')
  file.close()
  expect(await spawnServer(path)).toMatch(/^The list of applied migrations of the layer \(__or3_layer_migrations\) is empty, and tables are there: /)
})

// Seen red with health 200 throughout: only a full disk counted.
it('says in its health that writes meet a size limit, once in the log, and that they go on', async () => {
  const path = join(await makeTempFolder(), 'a.db')
  const server = await requireServer(path)
  expect(await server.push('small')).toMatchObject({ status: 200 })
  execFileSync('prlimit', ['--pid', String(server.pid), '--fsize=400000:unlimited'])
  let refused = { status: 200 }
  for (let index = 0; index < 20 && refused.status === 200; index++) refused = await server.push(`large-${index}`, 200_000)
  expect(refused.status).toBe(503)
  expect(await server.health()).toMatchObject({ status: 503, body: { writable: false } })
  expect((await server.pull()).status, 'reads go on').toBe(200)
  expect(server.output().match(/Health answers 503/g)).toHaveLength(1)
  execFileSync('prlimit', ['--pid', String(server.pid), '--fsize=unlimited:unlimited'])
  expect(await server.health()).toMatchObject({ status: 200, body: { writable: true, problem: null } })
})

// Seen red with health 200 while each pull was refused.
it('says in its health that reads meet a damaged page', async () => {
  const path = join(await makeTempFolder(), 'a.db')
  const before = await requireServer(path)
  for (let index = 0; index < 40; index++) await before.push(`row-${index}`, 20_000)
  await before.stop()
  await damage(path, 'changes')
  const server = await requireServer(path)
  expect((await server.pull()).status).toBe(503)
  expect(await server.health()).toMatchObject({ status: 503, body: { problem: 'DATABASE_UNAVAILABLE' } })
  expect(server.output().match(/Health answers 503/g)).toHaveLength(1)
  expect(server.output()).toMatch(/SQLITE_CORRUPT/)
})

// Seen red where the index was read: 503 for ever, with everything else served.
it('stays healthy with a damaged index of a table that only its health reads', async () => {
  const path = join(await makeTempFolder(), 'a.db')
  await (await requireServer(path)).stop()
  await damage(path, 'sqlite_autoindex___or3_layer_migrations_1')
  const server = await requireServer(path)
  expect(await server.push('a')).toMatchObject({ status: 200 })
  expect(await server.health()).toMatchObject({ status: 200, body: { ready: true, problem: null } })
})

it('says in a sentence that a file was cut off', async () => {
  const path = join(await makeTempFolder(), 'a.db')
  await (await requireServer(path)).stop()
  await truncate(path, 5_000)
  expect(await spawnServer(path)).toMatch(/^The database .* cannot be opened: .*(malformed|disk image)/)
})

function makeDatabase(path: string, journalMode: string) {
  const database = new DatabaseSync(path)
  database.exec(`pragma journal_mode = ${journalMode}; create table bookmarks (url text); insert into bookmarks values ('x')`)
  database.close()
}

/** Overwrites the table's own pages, not its root or the schema: those that hold the log's rows. */
async function damage(path: string, name: string) {
  const database = new DatabaseSync(path, { readOnly: true })
  const pages = database.prepare(`select pageno from dbstat where name = ? and pagetype = 'leaf'`).all(name) as { pageno: number }[]
  database.close()
  expect(pages.length).toBeGreaterThan(0)
  const file = await open(path, 'r+')
  for (const { pageno } of pages) await file.write(Buffer.alloc(4_096, 0xff), 0, 4_096, (pageno - 1) * 4_096)
  await file.close()
}
