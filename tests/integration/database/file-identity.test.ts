/** T19: the file under a running server is removed, replaced or given a second name. */
import { execFile } from 'node:child_process'
import { link, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { expect, it, vi } from 'vitest'
import { makeTempFolder } from '../../helpers/database.ts'
import { requireServer, spawnServer } from '../../helpers/spawned-server.ts'

// Each starts processes of its own.
vi.setConfig({ testTimeout: 240_000 })

const run = promisify(execFile)
const moved = { status: 503, code: 'DATABASE_MOVED' }
const accepted = { status: 200, code: undefined }

const countLines = (output: string, text: string) => output.split('\n').filter(line => line.includes(text)).length

// Seen red with `isInPlace` taken as true: success, health 200, and the rows gone after a restart.
it('acknowledges nothing for a file that was removed, and says so once and in its health', async () => {
  const path = join(await makeTempFolder(), 'a.db')
  const server = await requireServer(path)
  expect(await server.push('before')).toEqual(accepted)
  for (const suffix of ['', '-wal', '-shm']) await rm(path + suffix)
  expect(await server.push('after')).toEqual(moved)
  expect(await server.push('again')).toEqual(moved)
  expect((await server.pull()).status, 'reads go on').toBe(200)
  expect(await server.health()).toMatchObject({ status: 503, body: { writable: false, problem: 'DATABASE_MOVED' } })
  expect(countLines(server.output(), 'DATABASE_MOVED')).toBe(1)
  expect(server.output()).toContain(`${path} was removed or renamed`)
})

it('goes on where the file comes back, with all that it acknowledged', async () => {
  const folder = await makeTempFolder()
  const path = join(folder, 'a.db')
  const server = await requireServer(path)
  await rename(path, join(folder, 'away'))
  expect(await server.health(), 'without a write').toMatchObject({ status: 503, body: { problem: 'DATABASE_MOVED' } })
  expect(await server.push('away')).toEqual(moved)
  await rename(join(folder, 'away'), path)
  expect(await server.push('back')).toEqual(accepted)
  expect(await server.health()).toMatchObject({ status: 200, body: { writable: true, problem: null } })
  await rename(`${path}-wal`, join(folder, 'wal'))
  expect(await server.push('no log'), 'the log counts too').toEqual(moved)
  await rename(join(folder, 'wal'), `${path}-wal`)
  await server.stop('SIGKILL')
  const { pks } = await (await requireServer(path)).pull()
  expect(pks).toContain('back')
})

// Seen red: the log of the first file was applied to the second, which was malformed then.
it.each<NodeJS.Signals>(['SIGTERM', 'SIGKILL'])('leaves a database whole that was renamed over it, ended by %s', async (signal) => {
  const folder = await makeTempFolder()
  const path = join(folder, 'a.db')
  const other = await requireServer(join(folder, 'other.db'))
  for (let index = 0; index < 30; index++) await other.push(`other-${index}`, 2_000)
  await other.stop()
  const server = await requireServer(path)
  for (let index = 0; index < 30; index++) await server.push(`first-${index}`, 3_000)
  await rename(join(folder, 'other.db'), path)
  expect(await server.push('lost')).toEqual(moved)
  expect(await server.health()).toMatchObject({ status: 503 })
  expect(server.output()).toContain(`another file was put in the place of ${path}`)
  await server.stop(signal)
  const next = await requireServer(path)
  const { pks } = await next.pull()
  expect(pks).toHaveLength(30)
  expect(pks.every(pk => pk.startsWith('other-'))).toBe(true)
  const file = new DatabaseSync(path, { readOnly: true })
  expect(file.prepare('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' })
  file.close()
})

// Seen red without the exclusive lock: both started and gave version 1.
it('refuses a second server on the same file by another name, before and after the first one ends', async () => {
  const folder = await makeTempFolder()
  const path = join(folder, 'a.db')
  await writeFile(path, '')
  await link(path, join(folder, 'b.db'))
  const first = await requireServer(path)
  expect(first.output(), 'the first is warned').toContain('2 names (hard links)')
  expect(await first.push('a')).toEqual(accepted)
  expect(await spawnServer(join(folder, 'b.db'))).toBe(`Another process has the file ${join(folder, 'b.db')} open by another name (it has hard links): stop it, and leave the file one name. One file belongs to one process.`)
  await first.stop()
  await requireServer(join(folder, 'b.db'))
})

const canMount = await run('unshare', ['--mount', 'true']).then(() => true, () => false)
if (!canMount) console.warn('No mount namespaces here: the test of a file that is mounted by itself is left out.')

// Seen red without the look at the mounts: it started, and all since the last checkpoint was gone with the container.
it.runIf(canMount)('refuses a file that is mounted apart from its folder', async () => {
  const folder = await makeTempFolder()
  const path = join(folder, 'mounted here.db')
  await writeFile(join(folder, 'volume'), '')
  await writeFile(path, '')
  const through = ['unshare', '--mount', 'sh', '-c', `mount --bind '${join(folder, 'volume')}' '${path}' && exec "$@"`, 'sh']
  expect(await spawnServer(path, { through })).toMatch(/cannot be opened: the file is mounted by itself, and its write-ahead log .* mount the folder/)
})

it.runIf(canMount)('refuses a second server on a folder that is mounted in two places', async () => {
  const folder = await makeTempFolder()
  const path = join(folder, 'a.db')
  await requireServer(path)
  const elsewhere = await makeTempFolder()
  const through = ['unshare', '--mount', 'sh', '-c', `mount --bind '${folder}' '${elsewhere}' && exec "$@"`, 'sh']
  expect(await spawnServer(join(elsewhere, 'a.db'), { through })).toMatch(/Another server process has .* open/)
})
