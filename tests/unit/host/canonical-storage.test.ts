import { expect, it } from 'vitest'
import type { PendingOp } from '../../../shared/protocol.ts'
import type { CanonicalStorageItem, CanonicalStorageRequest } from '../../../server/host/sync-adapter/types.ts'
import { readFileHashes } from '../../../server/host/uploads/digest.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { watchLoop } from '../../helpers/loop-watch.ts'
import { deleteOf, emptyEvent, event, eventOf, messageOf, putOf, scope } from '../../helpers/sync.ts'
import { adapterOf } from '../../helpers/engine.ts'

type Kind = CanonicalStorageRequest['kind']

async function setUp() {
  const database = await openTestDatabase()
  const adapter = adapterOf(database)
  async function readAll(kind: Kind, more: Partial<CanonicalStorageRequest> = {}) {
    const items: CanonicalStorageItem[] = []
    for (let cursor: string | undefined; ;) {
      const page = await adapter.queryCanonicalStorage(event, { scope, kind, cursor, ...more })
      items.push(...page.items)
      expect(page.hasMore).toBe(page.nextCursor !== undefined)
      if (!page.hasMore) return items
      cursor = page.nextCursor
    }
  }
  const push = async (...ops: PendingOp[]) => {
    const { results } = await adapter.push(event, { scope, ops })
    expect(results.filter(result => !result.success)).toEqual([])
  }
  return { database, adapter, readAll, push }
}

const message = (id: string, hashes: unknown, clock = 1, more = {}) =>
  putOf(id, { payload: messageOf(id, { file_hashes: hashes, ...more }), stamp: { clock } })
const post = (id: string, hashes: unknown) => putOf(id, {
  tableName: 'posts',
  payload: { id, title: 't', content: '', post_type: 'doc', file_hashes: hashes, deleted: false, created_at: 1, updated_at: 1, clock: 1 },
})
const file = (hash: string, more = {}, clock = 1) => putOf(hash, {
  tableName: 'file_meta', stamp: { clock },
  payload: { hash, deleted: false, size_bytes: 10, created_at: 1, updated_at: 7, clock, ...more },
})
const edges = (items: CanonicalStorageItem[]) => items.map(item => item.kind === 'reference' && `${item.sourceTable}/${item.sourceId} ${item.hash}`)

it('lists each live reference once, whatever the page size', async () => {
  const { push, readAll } = await setUp()
  await push(
    message('m1', '["sha256:aa","sha256:bb"]'), message('m2', '["sha256:aa"]'), message('m3', null), message('m4', ''),
    message('m5', 'sha256:cc'), message('m6', '["sha256:dd"]', 1, { deleted: true }), post('p1', ['SHA256:AA']),
  )
  const expected = ['messages/m1 aa', 'messages/m2 aa', 'posts/p1 aa', 'messages/m1 bb', 'messages/m5 cc']
  for (const limit of [1, 2, 3, 100]) expect(edges(await readAll('reference_edges', { limit }))).toEqual(expected)
  expect(edges(await readAll('reference_edges', { hash: 'aa', limit: 1 }))).toEqual(expected.slice(0, 3))
  expect(edges(await readAll('reference_edges', { hash: 'sha256:AA' }))).toEqual(expected.slice(0, 3))
  expect(await readAll('reference_edges', { hash: 'a' })).toEqual([])
})

// Seen red with 8,192 characters: the page after it was refused.
it('goes on behind the longest key there can be', async () => {
  const { push, readAll } = await setUp()
  const ids = ['1', '2', '3'].map(end => '\u0001'.repeat(1_023) + end)
  await push(...ids.map(id => message(id, JSON.stringify([`sha256:${'\u00e9'.repeat(249)}`]))))
  expect(await readAll('reference_edges', { limit: 1 })).toHaveLength(3)
})

it('follows every later change: another file, a soft delete, a delete, a loser, a revival', async () => {
  const { push, readAll } = await setUp()
  const now = async () => edges(await readAll('reference_edges'))
  await push(message('m1', '["a"]'), message('m2', '["b"]'), message('m3', '["c"]', 5))
  expect(await now()).toEqual(['messages/m1 a', 'messages/m2 b', 'messages/m3 c'])
  await push(message('m1', '["x"]', 2), deleteOf('m2', { stamp: { clock: 2 } }), message('m3', '["lost"]', 4))
  expect(await now()).toEqual(['messages/m3 c', 'messages/m1 x'])
  await push(message('m1', '["x"]', 3, { deleted: true }), message('m2', '["b"]', 3))
  expect(await now()).toEqual(['messages/m2 b', 'messages/m3 c'])
})

it('does not count a row whose delete was cleaned up before anybody asked again', async () => {
  const { adapter, database, push, readAll } = await setUp()
  await push(message('m1', '["a"]'))
  expect(await readAll('reference_edges')).toHaveLength(1)
  await push(deleteOf('m1', { stamp: { clock: 2 } }))
  await database.write(async (tx) => {
    await tx.run('update changes set created_at = 1')
    await tx.run('update records set tombstone_at = 1')
  })
  expect(await adapter.gcTombstones(event, { scope, retentionSeconds: 3600 })).toMatchObject({ droppedTombstones: 1 })
  expect(await readAll('reference_edges')).toEqual([])
})

it('reads on through a log longer than one chunk', async () => {
  const { push, readAll } = await setUp()
  for (let part = 0; part < 3; part++) {
    await push(...Array.from({ length: 600 }, (_, index) => message(`m${part}-${index}`, `["f${index % 2}"]`)))
  }
  expect(await readAll('reference_edges', { hash: 'f1', limit: 500 })).toHaveLength(900)
})

it('lists the metadata of live files', async () => {
  const { push, readAll } = await setUp()
  await push(file('sha256:aa', { storage_id: 's1' }), file('sha256:bb'), file('sha256:cc'), file('dd', { deleted: true }))
  await push(deleteOf('sha256:cc', { tableName: 'file_meta', stamp: { clock: 2 } }), file('sha256:bb', { size_bytes: 20 }, 2))
  expect(await readAll('live_metadata', { limit: 1 })).toEqual([
    { kind: 'metadata', hash: 'aa', sizeBytes: 10, updatedAt: 7, storageId: 's1' },
    { kind: 'metadata', hash: 'bb', sizeBytes: 20, updatedAt: 7 },
  ])
  expect(await readAll('live_metadata', { hash: 'BB' })).toMatchObject([{ hash: 'bb' }])
})

it('lists reservations that have not ended at the moment asked for', async () => {
  const { adapter, readAll } = await setUp()
  const now = Math.floor(Date.now() / 1000)
  for (const [id, after] of [['i1', 100], ['i2', 200], ['i3', 300]] as const) {
    const file = { hash: `sha256:${id}`, mimeType: 'a/b', sizeBytes: 5 }
    await adapter.reserveUploadIntent(event, { intentId: id, workspaceId: scope.workspaceId, ...file, expiresAt: now + after })
  }
  const ids = (items: CanonicalStorageItem[]) => items.map(item => item.kind === 'reservation' && item.reservationId)
  expect(ids(await readAll('active_reservations', { limit: 2 }))).toEqual(['i1', 'i2', 'i3'])
  expect(ids(await readAll('active_reservations', { now: now + 200 }))).toEqual(['i3'])
  expect(ids(await readAll('active_reservations', { hash: 'I2' }))).toEqual(['i2'])
})

it('answers for the workspace of the session alone, and not to a cursor of another question', async () => {
  const { adapter, push } = await setUp()
  await push(message('m1', '["a","b"]'))
  const ask = (asking: typeof event, request: Partial<CanonicalStorageRequest>) =>
    adapter.queryCanonicalStorage(asking, { scope, kind: 'reference_edges', ...request })
  await expect(ask(eventOf('user-2', 'workspace-2'), {})).rejects.toMatchObject({ statusCode: 403 })
  expect((await ask(emptyEvent, {})).items).toHaveLength(2)
  expect((await ask(eventOf('user-2', 'workspace-2'), { scope: { workspaceId: 'workspace-2' } })).items).toEqual([])
  const { nextCursor } = await ask(event, { limit: 1 })
  await expect(ask(event, { cursor: nextCursor, kind: 'live_metadata' })).rejects.toMatchObject({ statusCode: 400 })
  await expect(ask(event, { cursor: 'nonsense' })).rejects.toMatchObject({ statusCode: 400 })
})

it('is not thrown off by a member\'s odd values: half a surrogate pair, NUL, numbers beyond measure', async () => {
  const { adapter, readAll, push } = await setUp()
  const odd = ['x\uD83D', '\uDE00', 'a\0b', 2 ** 53, 1e300, -5, 'ten', null, [1], { a: 1 }]
  await push(...odd.map((value, index) => file(`h${index}`, { size_bytes: value, storage_id: value })))
  await push(...odd.map((value, index) => message(`m${index}`, JSON.stringify([value, `ok-${index}`]))))
  const metadata = await readAll('live_metadata')
  expect(metadata.map(item => item.hash)).toEqual(odd.map((_, index) => `h${index}`))
  expect(metadata.flatMap(item => item.kind === 'metadata' ? item.storageId ?? [] : [])).toEqual(['ten'])
  expect((await readAll('reference_edges')).map(item => item.hash)).toEqual(expect.arrayContaining(odd.map((_, index) => `ok-${index}`)))
  const reservation = { intentId: 'i', workspaceId: scope.workspaceId, hash: 'new', mimeType: 'a/b', sizeBytes: 1, expiresAt: 4e9, workspaceQuotaBytes: 9e15 }
  await adapter.reserveUploadIntent(event, reservation)
})

// Seen red with all references of 500 rows read and written at once: a stop of seconds.
it('reads on in parts where rows name very many files, and others go on beside it', { timeout: 120_000 }, async () => {
  const { adapter, database, push } = await setUp()
  const names = (from: number) => JSON.stringify(Array.from({ length: 15_000 }, (_, index) => `${(from + index).toString(36)}`))
  for (let row = 0; row < 6; row++) await push(post(`p${row}`, names(row * 100)))
  const watch = watchLoop()
  const [first] = (await adapter.queryCanonicalStorage(event, { scope, kind: 'reference_edges', hash: 'zz', limit: 10 })).items
  const longest = watch.stop()
  expect(first).toEqual({ kind: 'reference', hash: 'zz', sourceTable: 'posts', sourceId: 'p0' })
  expect(longest).toBeLessThan(150)
  const count = async () => (await database.read.all<{ count: number }>('select count(*) as count from file_references'))[0]!.count
  expect(await count()).toBe(6 * 15_000)

  await push(putOf('p0', { tableName: 'posts', payload: { ...post('p0', '["only"]').payload as object, clock: 2 }, stamp: { clock: 2 } }))
  expect((await adapter.queryCanonicalStorage(event, { scope, kind: 'reference_edges', hash: 'only' })).items).toHaveLength(1)
  expect(await count()).toBe(5 * 15_000 + 1)
})

// Seen red with only winners counted: the row that was being changed all the time named nothing.
it('never loses a reference that every version of a row has, whoever changes it while the log is read', async () => {
  const { adapter, database, push } = await setUp()
  await push(message('m1', '["kept"]'))
  let clock = 1
  // Each write of the reader is followed by a push before it goes on.
  const between = adapterOf({
    ...database,
    async write(job) {
      const written = await database.write(job)
      await push(message('m1', '["kept"]', ++clock))
      return written
    },
  })
  const ask = (on: typeof adapter) => on.queryCanonicalStorage(event, { scope, kind: 'reference_edges', hash: 'kept' })
  for (let turn = 0; turn < 3; turn++) expect((await ask(between)).items).toHaveLength(1)
  const [items] = await Promise.all([ask(adapter), ask(between), ask(adapter)])
  expect(items.items).toHaveLength(1)
  expect((await ask(adapter)).items).toHaveLength(1)
})

// Seen red with each level handing its hashes up: seconds.
it('is not slowed down by what is nested', () => {
  const startedAt = performance.now()
  const nested = '['.repeat(3_000) + Array.from({ length: 30_000 }, (_, index) => index).map(index => `"${index}"`).join() + ']'.repeat(3_000)
  expect(readFileHashes(nested)).toHaveLength(30_000)
  expect(performance.now() - startedAt).toBeLessThan(300)
})
