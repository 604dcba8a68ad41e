import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { expect, it, vi } from 'vitest'
import { DatabaseInUseError } from '../../../server/database/local/owner-lock.ts'
import { users } from '../../../server/database/schema/index.ts'
import { startChild } from '../../helpers/child.ts'
import { makeTempFolder, openTestDatabase } from '../../helpers/database.ts'

// Each starts many processes.
vi.setConfig({ testTimeout: 120_000 })

const run = promisify(execFile)
const owner = 'helpers/database-owner.ts'
const refusal = (path: string) => `DatabaseInUseError: Another server process has ${path} open: stop it, or set OR3_SQLITE_DB_PATH to another file. One file belongs to one process.`

async function startOwner(path: string) {
  const child = startChild(owner, [path])
  expect(await child.line()).toBe('open')
  return child
}

/** Runs `code` in a process of its own, which reads the file at `path` with Node's own SQLite. */
async function readElsewhere(path: string, code: string): Promise<string> {
  const script = `const { DatabaseSync } = require('node:sqlite'); const db = new DatabaseSync(process.argv[1]); ${code}; db.close()`
  return (await run(process.execPath, ['-e', script, path])).stdout.trim()
}

// Seen red without the lock: both wrote.
it('refuses a second process with one sentence, and lets it in once the first has closed', async () => {
  const path = join(await makeTempFolder(), 'one.db')
  const first = await startOwner(path)
  expect(await startChild(owner, [path]).line()).toBe(refusal(path))
  const waiting = startChild(owner, [path])
  await first.end()
  expect(await waiting.line()).toBe('open')
  await waiting.end()
})

// Seen red: two that both opened it, and a server that refused each write.
it('is refused where this user may not write it, or the database', async () => {
  const folder = await makeTempFolder()
  await chmod(folder, 0o777)
  const open = (name: string) => startChild(owner, [join(folder, name)], { AS_NOBODY: '1' })
  await writeFile(join(folder, 'lock.db-owner'), '', { mode: 0o444 })
  await writeFile(join(folder, 'file.db'), '', { mode: 0o444 })
  expect(await open('lock.db').line()).toBe(`Error: The database ${join(folder, 'lock.db')} cannot be opened: lock.db-owner belongs to user 0 and is not writable by this user (65534): give it to the user that runs the server (chown)`)
  expect(await open('file.db').line()).toMatch(/file\.db cannot be opened: file\.db belongs to user 0 and is not writable by this user/)
  const other = open('other.db')
  expect(await other.line()).toBe('open')
  await other.end()
})

// Seen red with a file that is made and deleted for a lock.
it('dies with its process, however that ends', async () => {
  const path = join(await makeTempFolder(), 'killed.db')
  for (let round = 0; round < 3; round++) {
    const child = await startOwner(path)
    await child.kill()
  }
  const startedAt = performance.now()
  const database = await openTestDatabase({ path })
  expect(performance.now() - startedAt).toBeLessThan(1_000)
  expect(await database.read.$count(users)).toBe(3)
})

// Seen red with `resolve` for `realpath`, and for the second with the link's folder for its target's.
it.each([
  ['the file', async (path: string, alias: string) => {
    await writeFile(path, '')
    await symlink(path, alias)
  }],
  ['a file that is not there yet', (path: string, alias: string) => symlink(path, alias)],
])('knows a file behind a link to %s', async (_, makeLink) => {
  const folder = await makeTempFolder()
  await mkdir(join(folder, 'elsewhere'))
  const path = join(folder, 'elsewhere', 'real.db')
  const alias = join(folder, 'alias.db')
  await makeLink(path, alias)
  const first = await startOwner(alias)
  expect(await startChild(owner, [path]).line()).toBe(refusal(path))
  await first.end()
})

it('knows a file behind a linked folder', async () => {
  const folder = await makeTempFolder()
  await mkdir(join(folder, 'real'))
  await symlink(join(folder, 'real'), join(folder, 'alias'))
  const first = await startOwner(join(folder, 'alias', 'x.db'))
  expect(await startChild(owner, [join(folder, 'real', 'x.db')]).line()).toBe(refusal(join(folder, 'real', 'x.db')))
  await first.end()
})

// Seen red with an exclusive lock on the database itself.
it('lets readers and backups of other processes in, who do not break it', async () => {
  const database = await openTestDatabase()
  const { path } = database
  const insert = (id: string) => database.write(tx => tx.insert(users).values({ id, createdAt: 1 }))
  await insert('a')
  for (let round = 0; round < 2; round++) {
    const copy = `${path}-copy-${round}`
    const [count] = await Promise.all([
      readElsewhere(path, `console.log(db.prepare('SELECT count(*) AS n FROM users').get().n)`),
      readElsewhere(path, `db.exec(\`VACUUM INTO '\${process.argv[1]}-copy-${round}'\`)`),
      insert(`b${round}`),
    ])
    expect(Number(count)).toBeGreaterThanOrEqual(round + 1)
    expect(Number(await readElsewhere(copy, `console.log(db.prepare('SELECT count(*) AS n FROM users').get().n)`))).toBeGreaterThanOrEqual(round + 1)
    expect(await readElsewhere(copy, `console.log(db.prepare('PRAGMA integrity_check').get().integrity_check)`)).toBe('ok')
  }
  expect(await startChild(owner, [path]).line()).toBe(refusal(path))
  await insert('last')
  expect(await database.read.$count(users)).toBe(4)
})

// Seen red with no wait: a development server's reload was refused.
it('lets a second opening in one process wait for the close of the first', async () => {
  const first = await openTestDatabase()
  const second = openTestDatabase({ path: first.path })
  setTimeout(() => void first.close(), 300)
  await (await second).write(tx => tx.insert(users).values({ id: 'second', createdAt: 1 }))
  await expect(openTestDatabase({ path: first.path })).rejects.toThrow(DatabaseInUseError)
})

// A development server runs in a thread and ends it without asking. Seen red with a file for a lock.
it('dies with a worker thread that is terminated', async () => {
  const path = join(await makeTempFolder(), 'thread.db')
  for (let round = 0; round < 3; round++) {
    const worker = new Worker(fileURLToPath(new URL(`../../${owner}`, import.meta.url)), { workerData: path })
    expect((await once(worker, 'message'))[0]).toBe('open')
    await worker.terminate()
  }
  const database = await openTestDatabase({ path })
  expect(await database.read.$count(users)).toBe(3)
})
