/** A page is read in parts: it is as full as was asked for, unless it grows too long; then it ends early and says so. */
import type { InStatement } from '@libsql/core/api'
import { expect, it } from 'vitest'
import { delegate } from '../../../server/db/delegate.ts'
import { createSyncGatewayAdapter } from '../../../server/sync/gateway/adapter.ts'
import { maxPageTextLength, maxPayloadBytes } from '../../../server/sync/limits.ts'
import { pullText } from '../../../server/sync/pull.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { deleteOf, event, messageOf, pullAll, putOf, scope, snapshotAll, startClock } from '../../helpers/sync.ts'

async function openWith(count: number, content: string) {
  const database = await openTestDatabase()
  const adapter = createSyncGatewayAdapter(async () => database)
  const ops = Array.from({ length: count }, (_, index) => {
    const pk = `m${String(index).padStart(4, '0')}`
    return putOf(pk, { payload: messageOf(pk, { data: { content } }) })
  })
  for (let from = 0; from < count; from += 50) await adapter.push(event, { scope, ops: ops.slice(from, from + 50) })
  return { database, adapter, pks: ops.map(op => op.pk), versions: ops.map((_, index) => index + 1) }
}

it('holds as many rows as was asked for, and the next goes on after them', async () => {
  const { database, adapter, pks, versions } = await openWith(300, 'short')
  for (const tables of [undefined, ['messages'], ['messages', 'kv']]) {
    const page = await adapter.pull(event, { scope, cursor: 3, limit: 290, tables })
    expect(page.changes.map(change => change.serverVersion)).toEqual(versions.slice(3, 293))
    expect([page.hasMore, page.nextCursor]).toEqual([true, 293])
    expect(JSON.parse(await pullText(database, event, { scope, cursor: 3, limit: 290, tables }))).toEqual(page)
    const last = await adapter.pull(event, { scope, cursor: 44, limit: 256, tables })
    expect([last.changes.length, last.hasMore, last.nextCursor]).toEqual([256, false, 300])

    const first = await adapter.snapshot(event, { scope, pageSize: 290, tables })
    expect(first.items.map(item => item.pk)).toEqual(pks.slice(0, 290))
    const second = await adapter.snapshot(event, { scope, pageSize: 290, tables, pageToken: first.nextPageToken! })
    expect([second.items.map(item => item.pk), second.nextPageToken]).toEqual([pks.slice(290), null])
  }
})

// Seen red with all rows in one page.
it('ends before it is too long, and nothing is left out', async () => {
  const { database, adapter, pks, versions } = await openWith(150, 'x'.repeat(maxPayloadBytes - 1_000))
  const page = await adapter.pull(event, { scope, cursor: 0, limit: 1_000 })
  expect(page.changes.length).toBeLessThan(150)
  expect([page.hasMore, page.nextCursor]).toEqual([true, page.changes.length])
  expect((await pullText(database, event, { scope, cursor: 0, limit: 1_000 })).length).toBeLessThan(3 * maxPageTextLength)
  expect((await pullAll(adapter)).changes.map(change => change.serverVersion)).toEqual(versions)

  expect((await adapter.snapshot(event, { scope, pageSize: 1_000 })).items.length).toBeLessThan(150)
  expect((await snapshotAll(adapter)).items.map(item => item.pk)).toEqual(pks)
})

// Seen red with the winners of today counted instead of what they are rewound to: 150 in one page.
it('ends before it is too long where a snapshot goes back to what was large', async () => {
  const { adapter, pks } = await openWith(150, 'x'.repeat(maxPayloadBytes - 1_000))
  const first = await adapter.snapshot(event, { scope, pageSize: 1 })
  for (let from = 0; from < pks.length; from += 50) {
    await adapter.push(event, { scope, ops: pks.slice(from, from + 50).map(pk => deleteOf(pk, { stamp: { clock: 2 } })) })
  }
  const items = [...first.items]
  let pages = 0
  for (let pageToken = first.nextPageToken; pageToken !== null; pages++) {
    const page = await adapter.snapshot(event, { scope, pageSize: 1_000, pageToken })
    items.push(...page.items)
    pageToken = page.nextPageToken
  }
  expect(items.map(({ pk, kind }) => [pk, kind])).toEqual(pks.map(pk => [pk, 'row']))
  expect(pages).toBe(2)
})

// Seen red with head and horizon as they were at the first part.
it('says what was true when its last part was read', async () => {
  const clock = startClock()
  const { database, adapter, versions } = await openWith(300, 'short')
  await adapter.push(event, { scope, ops: [deleteOf('gone')] })
  clock.advance(3_601)
  let reads = 0
  const client = delegate(database.read.$client, {
    async execute(statement: InStatement) {
      if (reads++ === 1) {
        await adapter.gcTombstones(event, { scope, retentionSeconds: 3_600 })
        await adapter.push(event, { scope, ops: [putOf('late')] })
      }
      return database.read.$client.execute(statement)
    },
  })
  const between = createSyncGatewayAdapter(async () => ({ ...database, read: Object.assign(Object.create(database.read), { $client: client }) }))
  const page = await between.pull(event, { scope, cursor: 1, limit: 1_000 })
  expect(page.changes.map(change => change.serverVersion)).toEqual([...versions.slice(1), 302])
  expect(page).toMatchObject({ nextCursor: 302, hasMore: false, oldestRetainedVersion: 302, requiresSnapshot: true })
})
