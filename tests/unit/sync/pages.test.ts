/** A page is read in parts: it is as full as was asked for, unless it grows too long; then it ends early and says so. */
import type { InStatement } from '@libsql/core/api'
import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { delegate } from '../../../server/database/delegate.ts'
import { maxPageTextLength, maxPayloadBytes, maxStepsBack } from '../../../shared/limits.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { deleteOf, event, messageOf, pullAll, putOf, scope, snapshotAll, startClock } from '../../helpers/sync.ts'
import { adapterOf, pullTextOf } from '../../helpers/engine.ts'

async function openWith(count: number, content: string) {
  const database = await openTestDatabase()
  const adapter = adapterOf(database)
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
    expect(JSON.parse(await pullTextOf(database, event, { scope, cursor: 3, limit: 290, tables }))).toEqual(page)
    const last = await adapter.pull(event, { scope, cursor: 44, limit: 256, tables })
    expect([last.changes.length, last.hasMore, last.nextCursor]).toEqual([256, false, 300])

    const first = await adapter.snapshot(event, { scope, pageSize: 290, tables })
    expect(first.items.map(item => item.pk)).toEqual(pks.slice(0, 290))
    const second = await adapter.snapshot(event, { scope, pageSize: 290, tables, pageToken: first.nextPageToken! })
    expect([second.items.map(item => item.pk), second.nextPageToken]).toEqual([pks.slice(290), null])
  }
})

// Seen red with each part judged by itself.
it('leaves out what a change of another part of the page supersedes, and nothing that only others may see', async () => {
  const { database, adapter, versions } = await openWith(300, 'short')
  await adapter.push(event, { scope, ops: [putOf('m0002', { stamp: { clock: 2 } }), putOf('m0003', { stamp: { clock: 2 } })] })
  await database.write(tx => tx.run(sql`update changes set owner_user_id = 'user-2' where server_version = 301`))
  for (const tables of [undefined, ['messages'], ['messages', 'kv']]) {
    const request = { scope, cursor: 0, limit: 1_000, tables }
    const page = await adapter.pull(event, request)
    expect(page.changes.map(change => change.serverVersion)).toEqual([...versions.filter(version => version !== 4), 302])
    expect(JSON.parse(await pullTextOf(database, event, request))).toEqual(page)
    const whole = await adapter.pull(event, { ...request, history: true })
    expect(whole.changes.map(change => change.serverVersion)).toEqual([...versions, 302])
  }
})

// Seen red with horizon and changes of two moments.
it('leaves out what a clean-up drops while it is read, and says so by its horizon', async () => {
  const clock = startClock()
  const { database, adapter } = await openWith(200, 'short')
  await adapter.push(event, { scope, ops: [putOf('m0000', { stamp: { clock: 2 } }), deleteOf('gone')] })
  clock.advance(3_601)
  let reads = 0
  const client = delegate(database.read.$client, {
    async execute(statement: InStatement) {
      // Two parts, then what they supersede.
      if (reads++ === 2) await adapter.gcTombstones(event, { scope, retentionSeconds: 3_600 })
      return database.read.$client.execute(statement)
    },
  })
  const between = adapterOf({ ...database, read: Object.assign(Object.create(database.read), { $client: client }) })
  const page = await between.pull(event, { scope, cursor: 0, limit: 1_000 })
  expect(page.changes.map(change => change.serverVersion)).toEqual(Array.from({ length: 200 }, (_, index) => index + 2))
  expect(page).toMatchObject({ nextCursor: 202, hasMore: false, oldestRetainedVersion: 203, requiresSnapshot: true })
})

// Seen red with only the changes before the watermark found: the snapshot ended.
it('rewinds a row to a change at the watermark itself, and to one before it', async () => {
  const { adapter } = await openWith(3, 'first')
  const update = (pk: string, clock: number) =>
    adapter.push(event, { scope, ops: [putOf(pk, { payload: messageOf(pk, { data: { content: `clock ${clock}` } }), stamp: { clock } })] })
  await update('m0001', 2)
  await update('m0002', 2)
  const first = await adapter.snapshot(event, { scope, pageSize: 1 })
  for (const clock of [3, 4]) await update('m0001', clock)
  for (const clock of [3, 4]) await update('m0002', clock)
  const second = await adapter.snapshot(event, { scope, pageSize: 10, pageToken: first.nextPageToken! })
  expect([second.highWatermark, second.nextPageToken]).toEqual([5, null])
  expect(second.items).toMatchObject([
    { pk: 'm0001', payload: { data: { content: 'clock 2' } } },
    { pk: 'm0002', payload: { data: { content: 'clock 2' } } },
  ])
})

// Seen red with all rows in one page.
it('ends before it is too long, and nothing is left out', async () => {
  const { database, adapter, pks, versions } = await openWith(150, 'x'.repeat(maxPayloadBytes - 1_000))
  const page = await adapter.pull(event, { scope, cursor: 0, limit: 1_000 })
  expect(page.changes.length).toBeLessThan(150)
  expect([page.hasMore, page.nextCursor]).toEqual([true, page.changes.length])
  expect((await pullTextOf(database, event, { scope, cursor: 0, limit: 1_000 })).length).toBeLessThan(3 * maxPageTextLength)
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
  expect(pages).toBeGreaterThan(1)
})

describe('where rows have changed often since the snapshot began', () => {
  async function openOften() {
    const { database, adapter, pks } = await openWith(300, 'short')
    const head = async () => (await database.read.all<{ head: number }>(sql`select head from logs`))[0]!.head
    const changeOften = async (pk: string, times: number) => {
      const before = await head()
      await database.write(async (tx) => {
        const [winner] = await tx.all<{ version: number }>(sql`select server_version as version from records where pk = ${pk}`)
        await tx.run(sql`
          with recursive steps (value) as (select 1 union all select value + 1 from steps where value < ${times})
          insert into changes (log_id, server_version, table_name, pk, op, clock, hlc, device_id, op_id, obsoletes, created_at, payload)
          select log_id, ${before} + value, table_name, pk, op, clock, hlc, device_id, printf('00000000-0000-4000-8000-%012d', ${before} + value),
            iif(value = 1, server_version, ${before} + value - 1), created_at, payload
          from changes cross join steps where server_version = ${winner!.version}`)
        await tx.run(sql`update records set server_version = ${before} + ${times} where pk = ${pk}`)
        await tx.run(sql`update logs set head = ${before} + ${times}`)
      })
    }
    const first = await adapter.snapshot(event, { scope, pageSize: 1 })
    const next = (pageToken: string | null) => adapter.snapshot(event, { scope, pageSize: 1_000, pageToken: pageToken! })
    return { adapter, pks, changeOften, first, next }
  }

  // Seen red with no end to how many changes one page goes through: it was whole, and took a microsecond or two for each.
  it('ends before it has gone through too many changes', async () => {
    const { pks, changeOften, first, next } = await openOften()
    for (const pk of [pks[1]!, pks[200]!]) await changeOften(pk, maxStepsBack * 0.6)
    const second = await next(first.nextPageToken)
    const after = second.items.length + 1
    expect(second.items.map(item => item.pk)).toEqual(pks.slice(1, after))
    expect(second.nextPageToken, 'the second row that changed often ends it').not.toBeNull()
    const third = await next(second.nextPageToken)
    expect([third.items.map(item => item.pk), third.nextPageToken]).toEqual([pks.slice(after), null])
  })

  // Seen red with no end to it: the page was answered.
  it('has to be begun anew once too many lie between, and only a page that needs them', async () => {
    const { adapter, pks, changeOften, first, next } = await openOften()
    const behind = await adapter.snapshot(event, { scope, pageSize: 1, pageToken: first.nextPageToken! })
    await changeOften(pks[1]!, maxStepsBack + 1)
    await expect(next(first.nextPageToken)).rejects.toMatchObject({ statusCode: 410, data: { code: 'SNAPSHOT_EXPIRED' } })
    expect((await next(behind.nextPageToken)).items.map(item => item.pk)).toEqual(pks.slice(2))
    expect((await snapshotAll(adapter)).items.map(item => item.pk)).toEqual(pks)
  })
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
  const between = adapterOf({ ...database, read: Object.assign(Object.create(database.read), { $client: client }) })
  const page = await between.pull(event, { scope, cursor: 1, limit: 1_000 })
  expect(page.changes.map(change => change.serverVersion)).toEqual([...versions.slice(1), 302])
  expect(page).toMatchObject({ nextCursor: 302, hasMore: false, oldestRetainedVersion: 302, requiresSnapshot: true })
})
