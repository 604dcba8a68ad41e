/** The command as its users run it: from a package in node_modules, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { addOldUser, createOldDatabase, createOldServer } from '../../fixtures/incumbent/old-database.ts'
import { makeTempFolder, openTestDatabase } from '../../helpers/database.ts'
import { messageOf } from '../../helpers/sync.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
let bin: string

beforeAll(async () => {
  const app = await mkdtemp(join(tmpdir(), 'or3-layer-app-'))
  const installed = join(app, 'node_modules/or3-provider-sqlite')
  await mkdir(installed, { recursive: true })
  for (const part of ['bin', 'cli', 'server', 'shared', 'drizzle', 'package.json']) await cp(join(root, part), join(installed, part), { recursive: true })
  await symlink(join(root, 'node_modules'), join(installed, 'node_modules'))
  bin = join(installed, 'bin/or3-layer-sqlite.js')
  return () => rm(app, { recursive: true, force: true })
})

interface Ended { code: number | null, stdout: string, stderr: string }

function start(args: string[], env: Record<string, string> = {}): { child: ChildProcess, ended: Promise<Ended> } {
  const child = spawn(process.execPath, [bin, ...args], { env: { PATH: process.env['PATH'], ...env } })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk: Buffer) => (output.stdout += chunk))
  child.stderr.on('data', (chunk: Buffer) => (output.stderr += chunk))
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, ended: new Promise(resolve => child.on('close', code => resolve({ code, ...output }))) }
}

const run = (args: string[], env?: Record<string, string>) => start(args, env).ended

async function makeOld(rows = 50) {
  const folder = await makeTempFolder()
  const from = join(folder, 'old.db')
  const database = createOldDatabase(from)
  addOldUser(database, { user: 'ada', workspace: 'w1' })
  const server = createOldServer(database, 'w1')
  database.exec('begin')
  for (let index = 0; index < rows; index++) server.push({ pk: `m${index}`, payload: messageOf(`m${index}`), clock: 1 })
  database.exec('commit')
  database.close()
  const digest = async () => createHash('sha256').update(await readFile(from)).digest('hex')
  return { folder, from, to: join(folder, 'new.db'), digest }
}

it('moves a database from node_modules, says how much, and leaves nothing else behind', async () => {
  const { folder, from, to, digest } = await makeOld()
  const before = await digest()
  const { code, stdout, stderr } = await run(['import', from, '--to', to])
  expect([code, stderr]).toEqual([0, 'Copying 104 rows\nComparing 100 rows\n'])
  expect(stdout).toMatch(/^users +1 +1$/m)
  expect(stdout).toMatch(/^w1 +50 +50 +0 +50 +0 +0 +[0-9a-f]{12}$/m)
  expect(stdout).toContain(`OR3_SQLITE_DB_PATH=${to}`)
  expect([await digest(), (await readdir(folder)).sort()]).toEqual([before, ['new.db', 'old.db']])
  expect((await openTestDatabase({ path: to })).path).toBe(to)
})

it('goes where OR3_SQLITE_DB_PATH says, and asks where nothing says it', async () => {
  const { from, to } = await makeOld()
  expect(await run(['import', from])).toMatchObject({ code: 1, stderr: 'Where to? Give --to <new.db>, or set OR3_SQLITE_DB_PATH.\n' })
  expect(await run(['import', from], { OR3_SQLITE_DB_PATH: from })).toMatchObject({ code: 1, stderr: expect.stringContaining('must be another one') })
  expect(await run(['import', from], { OR3_SQLITE_DB_PATH: to })).toMatchObject({ code: 0 })
}, 60_000)

it('says in a sentence what it does not do', async () => {
  const { folder, from, to } = await makeOld()
  const refused = async (...args: string[]) => {
    const { code, stderr } = await run(args)
    expect([code, stderr]).not.toContain('    at ')
    return `${code} ${stderr.trim()}`
  }
  await writeFile(to, 'somebody\'s data')
  expect(await refused('import', from, '--to', to)).toContain(`1 ${to} exists already`)
  expect(await readFile(to, 'utf8')).toBe('somebody\'s data')
  const other = join(folder, 'other.db')
  expect(await refused('import', join(folder, 'none.db'), '--to', other)).toContain('1 There is no file')
  expect(await refused('import', to, '--to', other)).toContain('cannot be read as an SQLite database')
  expect(await refused('export', from)).toContain('Usage')
  expect(await refused('import', from, '--into', other)).toContain('Usage')
  const database = await openTestDatabase({ path: join(folder, 'layer.db') })
  await database.close()
  expect(await refused('import', database.path, '--to', other)).toContain('a database of this layer already')
  expect((await readdir(folder)).sort().filter(name => name.startsWith('other'))).toEqual([])
}, 60_000)

it('leaves nothing usable when it is killed, and starts over', async () => {
  const { folder, from, to, digest } = await makeOld(20_000)
  const before = await digest()
  let kills = 0
  for (const delay of [150, 300, 450, 600, 800, 1_000, 1_300, 1_600]) {
    const { child, ended } = start(['import', from, '--to', to])
    await sleep(delay)
    child.kill('SIGKILL')
    if ((await ended).code === 0) break
    kills++
    await expect(stat(to)).rejects.toThrow('ENOENT')
  }
  expect(kills).toBeGreaterThan(2)
  await writeFile(`${to}.importing-source`, 'a leftover')
  expect(await digest()).toBe(before)
  const last = await run(['import', from, '--to', to])
  if (last.code !== 0) expect(last.stderr).toContain('exists already')
  const moved = await openTestDatabase({ path: to })
  expect(await moved.read.all('select head from logs')).toEqual([{ head: 20_000 }])
  await moved.close()
  expect((await readdir(folder)).filter(name => name.includes('importing'))).toEqual([])
}, 120_000)

it('stops cleanly when it is asked to, and refuses a second import to one place', async () => {
  const { folder, from, to } = await makeOld(20_000)
  const first = start(['import', from, '--to', to])
  // It is made once the place is locked.
  await waitFor(join(dirname(to), 'new.db.importing.db'))
  first.child.kill('SIGSTOP')
  expect(await run(['import', from, '--to', to])).toMatchObject({ code: 1, stderr: expect.stringContaining('Another import to this place') })
  first.child.kill('SIGINT')
  first.child.kill('SIGCONT')
  expect(await first.ended).toMatchObject({ code: 1, stderr: expect.stringContaining('The import was stopped') })
  expect((await readdir(folder)).sort()).toEqual(['old.db'])
}, 60_000)

async function waitFor(path: string) {
  for (let tries = 0; tries < 3_000; tries++) {
    if (await stat(path).then(() => true, () => false)) return
    await sleep(10)
  }
  throw new Error(`${path} did not come`)
}
