/** T19: what a machine does to a server that nobody did anything to: its disk, its clock, its limits. */
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it, vi } from 'vitest'
import { makeTempFolder } from '../../helpers/database.ts'
import { requireServer, spawnServer } from '../../helpers/spawned-server.ts'

// Each starts processes of its own.
vi.setConfig({ testTimeout: 240_000 })

const run = promisify(execFile)
const accepted = { status: 200, code: undefined }
const canMount = await run('unshare', ['--mount', 'true']).then(() => true, () => false)
if (!canMount) console.warn('No mount namespaces here: the tests of full and read-only disks are left out.')
/** The server sees what these commands mount; nobody else does. */
const mounted = (commands: string) => ({ through: ['unshare', '--mount', 'sh', '-c', `${commands} && exec "$@"`, 'sh'] })

// The first has no room for the -shm, the second none for the tables.
it.runIf(canMount).each([16, 128])('refuses to start on a disk of %i KiB in one sentence', async (size) => {
  const folder = await makeTempFolder()
  const said = await spawnServer(join(folder, 'a.db'), mounted(`mount -t tmpfs -o size=${size}k tmpfs '${folder}'`))
  expect(said).toMatch(/^The database \S+ cannot be opened: SQLITE_(IOERR|FULL): [^\n]+$/)
})

// Seen red with a health of 200 that told nothing: each push was refused.
it.runIf(canMount)('serves from a disk that is nearly full, and tells that it takes no puts', async () => {
  const folder = await makeTempFolder()
  const server = await requireServer(join(folder, 'a.db'), mounted(`mount -t tmpfs -o size=2m tmpfs '${folder}'`))
  expect(await server.push('a')).toEqual({ status: 503, code: 'DATABASE_FULL' })
  expect(await server.push('b')).toEqual({ status: 503, code: 'DATABASE_FULL' })
  expect((await server.pull()).status).toBe(200)
  expect(await server.health()).toMatchObject({ status: 200, body: { problem: 'DATABASE_FULL' } })
  expect(server.output().match(/less than its reserve/g)).toHaveLength(1)
})

it.runIf(canMount)('refuses to start on a disk that is mounted to be read only', async () => {
  const folder = await makeTempFolder()
  const mounts = `mount -t tmpfs tmpfs '${folder}' && touch '${folder}/a.db' && mount -o remount,ro '${folder}'`
  expect(await spawnServer(join(folder, 'a.db'), mounted(mounts))).toMatch(/ is on a file system that is mounted to be read only: mount it to be written$/)
})

const hasDisks = canMount && existsSync('/sys/fs/ext4') && await run('sh', ['-c', 'losetup -f && command -v mkfs.ext4']).then(() => true, () => false)
if (!hasDisks) console.warn('No disk of our own to be had here: the test of one that becomes read only is left out.')

// Seen red with health 200 throughout: only a full disk counted.
it.runIf(hasDisks)('says in its health that its disk became read only after an error, and goes on reading', async () => {
  const folder = await makeTempFolder()
  const [image, disk] = [join(folder, 'image'), join(folder, 'disk')]
  await mkdir(disk)
  await run('sh', ['-c', `truncate -s 600M '${image}' && mkfs.ext4 -q '${image}'`])
  const server = await requireServer(join(disk, 'a.db'), mounted(`mount -o loop,errors=remount-ro '${image}' '${disk}'`))
  expect(await server.push('a')).toEqual(accepted)
  const device = new RegExp(`^/dev/(\\S+) ${disk} `, 'm').exec(execFileSync('cat', [`/proc/${server.pid}/mounts`], { encoding: 'utf8' }))![1]
  await run('sh', ['-c', `echo 1 > /sys/fs/ext4/${device}/trigger_fs_error`])
  for (const pk of ['b', 'c']) expect(await server.push(pk)).toEqual({ status: 503, code: 'DATABASE_UNAVAILABLE' })
  expect(await server.health()).toMatchObject({ status: 503, body: { writable: false, problem: 'DATABASE_UNAVAILABLE' } })
  expect((await server.pull()).pks).toEqual(['a'])
  expect(server.output().match(/Health answers 503 with DATABASE_UNAVAILABLE/g)).toHaveLength(1)
})

// A connection more is closed by Node. Those that are there need no other descriptor, nor do SQLite and the health.
it('goes on with the connections that it has where no file descriptor is left', async () => {
  const server = await requireServer(join(await makeTempFolder(), 'a.db'))
  expect(await server.push('a')).toEqual(accepted)
  const limit = (count: number) => execFileSync('prlimit', ['--pid', String(server.pid), `--nofile=${count}:`])
  limit(readdirSync(`/proc/${server.pid}/fd`).length)
  // fetch may take a new connection, which fails; then it has the old one.
  await vi.waitFor(async () => expect(await server.push('b')).toEqual(accepted), 10_000)
  await vi.waitFor(async () => expect(await server.health()).toMatchObject({ status: 200, body: { problem: null } }), 10_000)
  const atOnce = await Promise.allSettled(['c', 'd', 'e'].map(pk => server.push(pk)))
  expect(atOnce.some(one => one.status === 'rejected' && one.reason.message === 'fetch failed')).toBe(true)
  limit(500)
  const all = () => Promise.all(['f', 'g', 'h'].map(pk => server.push(pk)))
  await vi.waitFor(async () => expect(await all()).toEqual([accepted, accepted, accepted]), 10_000)
})

it.each(['1970-01-01T00:00:10Z', '2100-01-01T00:00:00Z'])('serves with a clock at %s, and what it wrote is there when that is right again', async (moment) => {
  const path = join(await makeTempFolder(), 'a.db')
  const code = `const Real = Date, ahead = Real.parse('${moment}') - Real.now()
    globalThis.Date = class extends Real {
      constructor(...all) { all.length ? super(...all) : super(Real.now() + ahead) }
      static now() { return Real.now() + ahead }
    }`
  const server = await requireServer(path, { env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` } })
  expect(await server.push('then')).toEqual(accepted)
  expect(await server.health()).toMatchObject({ status: 200, body: { problem: null } })
  await server.stop()
  const next = await requireServer(path)
  expect(await next.push('now')).toEqual(accepted)
  expect((await next.pull()).pks).toEqual(['then', 'now'])
})
