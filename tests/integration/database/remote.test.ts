/**
 * A database on sqld: what the start refuses, and what happens to a write whose answer is lost. Seen red: each check of the
 * start left out, and writing proved by a socket, which is cut instead of answered; a lost answer not tried again; the op ids
 * not asked.
 */
import { generateKeyPairSync, sign } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { openRemoteDatabase } from '../../../server/database/remote/open-remote.ts'
import { ledgerTable } from '../../../server/database/migrate.ts'
import { users } from '../../../server/database/schema/index.ts'
import { createSyncEngine } from '../../../server/sync/engine.ts'
import type { UserCaller } from '../../../server/sync/caller.ts'
import { takeLease, endLease } from '../../../server/sync/retention/lease.ts'
import { layerMigrations, makeTempFolder } from '../../helpers/database.ts'
import { openRemoteTestDatabase, useSqld } from '../../helpers/remote-database.ts'
import { startSqld, type SqldOptions } from '../../helpers/sqld.ts'
import { putOf, startClock } from '../../helpers/sync.ts'

const sqld = useSqld()
const migrations = { layer: layerMigrations, app: [] }
const caller: UserCaller = { kind: 'user', workspaceId: 'workspace-1', userId: 'user-1' }
const scope = { workspaceId: caller.workspaceId }

async function startOwn(options: SqldOptions) {
  const own = await startSqld(options)
  onTestFinished(() => own.stop())
  return own
}

const open = (url: string, authToken?: string) => openRemoteDatabase({ url, authToken, synchronous: 'FULL' }, migrations, { startTimeoutMs: 500 })

it('refuses a server that is not there, a read replica, and one that flushes no commit or takes no writes', async () => {
  await expect(open('ws://127.0.0.1:9')).rejects.toThrow(/^The database server 127.0.0.1:9 cannot be reached/)
  const replica = await startOwn({ replicaOf: (await sqld()).grpcUrl })
  await expect(open(replica.wsUrl)).rejects.toThrow(/is a read replica: set OR3_SQLITE_DB_PATH to the primary/)
  const relaxed = await startOwn({ durability: 'relaxed' })
  await expect(open(relaxed.httpUrl)).rejects.toThrow(/PRAGMA synchronous is NORMAL.*durability_mode to "strong"/)
  const blocked = await startOwn({ blockWrites: true })
  await expect(open(blocked.wsUrl)).rejects.toThrow(/takes no writes: .*BLOCKED/)
  const accepted = await openRemoteDatabase({ url: relaxed.wsUrl, synchronous: 'NORMAL' }, migrations)
  await accepted.close()
}, 120_000)

async function startWithTokens() {
  const folder = await makeTempFolder()
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  await writeFile(join(folder, 'key.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const makeToken = (rights: 'rw' | 'ro') => {
    const body = `${encode({ alg: 'EdDSA', typ: 'JWT' })}.${encode({ a: rights })}`
    return `${body}.${sign(null, Buffer.from(body), privateKey).toString('base64url')}`
  }
  return { makeToken, ...await startOwn({ args: ['--auth-jwt-key-file', join(folder, 'key.pem')] }) }
}

it.each(['ws', 'http'])('refuses a wrong token over %s, and one that only reads, and names none', async (protocol) => {
  const { wsUrl, httpUrl, makeToken } = await startWithTokens()
  const url = protocol === 'ws' ? wsUrl : httpUrl
  const token = makeToken('rw')
  const wrong = `${token.slice(0, -8)}AAAAAAAA`
  const refusalOf = async (token?: string) => String(await open(url, token).catch((error: unknown) => error))
  for (const bad of [undefined, wrong]) {
    const refusal = await refusalOf(bad)
    expect(refusal).toMatch(/refuses the token: set OR3_SQLITE_AUTH_TOKEN/)
    expect(refusal).not.toContain(token.split('.')[1])
  }
  // Before the tables are there, and beside them.
  expect(await refusalOf(makeToken('ro'))).toMatch(/to one that may read and write/)
  const right = await open(url, token)
  await right.write(tx => tx.insert(users).values({ id: 'u', createdAt: 1 }))
  await right.close()
  expect(await refusalOf(makeToken('ro'))).toMatch(/to one that may read and write/)
}, 120_000)

it('is migrated by one of two servers that start at once, and seen by the other', async () => {
  const { wsUrl } = await startOwn({})
  const both = await Promise.all([open(wsUrl), open(wsUrl)])
  for (const one of both) expect(await one.read.select().from(users)).toEqual([])
  const { rows: [count] } = await both[0]!.read.$client.execute(`select count(*) from ${ledgerTable}`)
  expect(count![0]).toBe(layerMigrations.length)
  await Promise.all(both.map(one => one.close()))
}, 60_000)

it('writes once although the answer is lost, and says that it is a repeat', async () => {
  const { wsUrl } = await sqld()
  const proxy = await startProxy(Number(new URL(wsUrl).port))
  const database = await openRemoteTestDatabase({ url: proxy.url })
  const engine = createSyncEngine(database)
  await engine.push(caller, { scope, ops: [putOf('first')] })
  for (const pk of ['a', 'b']) {
    const op = putOf(pk)
    // The request passes, and the connection ends instead of the answer.
    proxy.cutNextAnswer()
    const { results } = await engine.push(caller, { scope, ops: [op] })
    expect(results).toMatchObject([{ success: true, replayed: true, applied: true }])
  }
  const { changes } = await engine.pull(caller, { scope, cursor: 0 })
  expect(changes.map(change => [change.serverVersion, change.pk])).toEqual([[1, 'first'], [2, 'a'], [3, 'b']])
}, 60_000)

it('answers with a retryable refusal while the server is away, and goes on when it is back', async () => {
  const own = await startOwn({})
  const database = await openRemoteTestDatabase({ url: own.wsUrl, busyTimeoutMs: 1_000 })
  const engine = createSyncEngine(database)
  await engine.push(caller, { scope, ops: [putOf('a')] })
  await own.kill()
  await expect(engine.push(caller, { scope, ops: [putOf('b')] })).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE', retryable: true })
  await expect(database.read.select().from(users)).rejects.toThrow()
  await own.start()
  expect(await engine.push(caller, { scope, ops: [putOf('c')] })).toMatchObject({ serverVersion: 2 })
}, 60_000)

// Seen red: acknowledged at PRAGMA synchronous = NORMAL, by a server that looked at it as it started.
it.each(['ws', 'http'])('acknowledges nothing over %s while the server, restarted, would not flush it', async (protocol) => {
  const own = await startOwn({})
  const database = await openRemoteTestDatabase({ url: own.wsUrl.replace('ws', protocol), busyTimeoutMs: 500 })
  const engine = createSyncEngine(database)
  const known = putOf('a')
  await engine.push(caller, { scope, ops: [known] })
  await own.kill()
  await own.start({ forgets: true })
  const refusal = { code: 'DATABASE_UNAVAILABLE', retryable: true }
  for (const op of [putOf('b'), known]) await expect(engine.push(caller, { scope, ops: [op] })).rejects.toMatchObject(refusal)
  await expect(database.write(tx => tx.delete(users))).rejects.toMatchObject(refusal)
  expect(database.activity).toMatchObject({ isWritable: false, problem: 'DATABASE_UNAVAILABLE' })
  expect((await engine.pull(caller, { scope, cursor: 0 })).changes).toHaveLength(1)
  await own.setDurability('strong')
  expect(await engine.push(caller, { scope, ops: [putOf('c')] })).toMatchObject({ serverVersion: 2 })
  expect(database.activity).toMatchObject({ isWritable: true, problem: null })
}, 60_000)

// Seen red: it refused at once, and the process ended for good.
it('waits at its start for a server that is not told of its durability yet', async () => {
  const own = await startOwn({ durability: 'relaxed' })
  const opening = openRemoteDatabase({ url: own.wsUrl, synchronous: 'FULL' }, migrations)
  await sleep(300)
  await own.setDurability('strong')
  await (await opening).close()
}, 60_000)

// Seen red: each of them made a connection of its own, and all but the last were never closed.
it('connects once for all that wait after a connection was lost', async () => {
  const proxy = await startProxy(Number(new URL((await sqld()).wsUrl).port))
  const database = await openRemoteTestDatabase({ url: proxy.url })
  const readAtOnce = () => Promise.all(Array.from({ length: 8 }, () => database.read.select().from(users)))
  await readAtOnce()
  proxy.cutAll()
  await sleep(100)
  const before = proxy.connections
  await readAtOnce()
  expect(proxy.connections - before).toBe(1)
}, 60_000)

it('gives a lease to one owner, until it ends', async () => {
  const clock = startClock()
  const database = await openRemoteTestDatabase({ url: (await sqld()).wsUrl })
  const [one, two] = ['one', 'two'].map(owner => ({ name: 'work', owner })) as [{ name: string, owner: string }, { name: string, owner: string }]
  expect(await takeLease(database, one)).toBe(true)
  expect(await takeLease(database, two)).toBe(false)
  expect(await takeLease(database, one)).toBe(true)
  await endLease(database, two)
  expect(await takeLease(database, two)).toBe(false)
  clock.advance(301)
  expect(await takeLease(database, two)).toBe(true)
  await endLease(database, two)
  expect(await takeLease(database, one)).toBe(true)
})

/** Passes everything on; told so, it ends the next connection on which an answer comes instead of passing that on. */
async function startProxy(port: number) {
  let isCutting = false
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    connections++
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => {
        client.destroy()
        upstream.destroy()
      })
    }
    client.pipe(upstream)
    upstream.on('data', (chunk) => {
      if (!isCutting) return void client.write(chunk)
      isCutting = false
      client.destroy()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cutAll = () => sockets.forEach(socket => socket.destroy())
  onTestFinished(() => {
    cutAll()
    server.close()
  })
  return {
    cutAll,
    get connections() {
      return connections
    },
    url: `ws://127.0.0.1:${(server.address() as { port: number }).port}`,
    cutNextAnswer: () => void (isCutting = true),
  }
}
