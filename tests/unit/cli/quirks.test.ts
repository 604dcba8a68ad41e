/**
 * One database of each schema revision with all that such a one may have gone through: rows from before there were
 * hlcs or op ids, several tombstones of a key, cursors of nobody, a log whose beginning the old clean-up has dropped,
 * deletes it has forgotten. The devices go on from their cursors.
 * Seen red: the newest tombstone not chosen, states without a log row not restored, cursors without an owner kept.
 */
import type { DatabaseSync } from 'node:sqlite'
import { expect, it } from 'vitest'
import { addOldUser, createOldServer, insert } from '../../fixtures/incumbent/old-database.ts'
import { eventOf, messageOf } from '../../helpers/sync.ts'
import { makeOldFile, move, oldState, pullAll, resolve, snapshotAll, sorted } from './moved.ts'

const ws = 'w1'
const cleanedUpTo = 16
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

it.each(Array.from({ length: 17 }, (_, index) => index + 1))('moves what a database of revision %i went through', async (revision) => {
  const old = await makeOldFile(revision)
  addOldUser(old.database, { user: 'ada', workspace: ws })
  addOldUser(old.database, { user: 'bob', workspace: 'shared' })
  insert(old.database, 'workspace_members', { id: 'm', workspace_id: 'shared', user_id: 'ada', role: 'editor', created_at: 1 })
  createOldServer(old.database, 'shared', { revision }).push({ tableName: 'threads', pk: 't', payload: { id: 't' }, clock: 1 })
  const server = createOldServer(old.database, ws, { revision })
  const put = (pk: string, clock = 1, hlc?: string) =>
    server.push({ pk, payload: messageOf(pk, { clock }), clock, hlc, opId: hlc === '' && revision >= 6 ? `legacy:messages:${pk}:${clock}:` : undefined })
  for (let index = 0; index < 12; index++) put(`m${index}`, 1, index % 2 === 0 ? '' : undefined)
  for (const clock of [2, 4, 3]) server.push({ pk: 'm10', op: 'delete', clock })
  server.push({ pk: 'm11', op: 'delete', clock: 2 })
  put('m0', 2)
  put('m20', 1, '')
  server.push({ pk: 'm1', op: 'delete', clock: 2 })
  age(old.database, revision)
  server.cleanLog(cleanedUpTo)
  server.cleanTombstones(13)
  addCursors(old.database, revision, server.head)
  const expected = sorted(oldState(old.database, ws))
  const tail = old.database.prepare('select server_version as v, pk from change_log where workspace_id = ? order by 1').all(ws).map(row => [row['v'], row['pk']])

  const { report, adapter } = await move(old)
  expect(report).toMatchObject({ sourceRevision: revision, unreadableCount: 0 })
  expect(report.synced).toContainEqual({ name: 'messages', old: expected.length, new: expected.length })
  const found = report.workspaces.find(one => one.id === ws)!
  expect(found).toMatchObject({ oldHead: server.head, head: server.head, changes: tail.length, rows: expected.length })

  const whole = await pullAll(adapter, ws)
  expect(sorted(resolve(whole.changes))).toEqual(expected)
  expect((await snapshotAll(adapter, ws)).flatMap(item => item.kind === 'row' ? [[`messages/${item.pk}`, item.payload]] : []).sort(byName)).toEqual(expected)
  for (const { stamp } of whole.changes) expect(stamp.opId).toMatch(uuid)
  // Of several tombstones the newest: nothing older may bring the row back.
  expect(whole.changes.filter(change => change.pk === 'm10')).toMatchObject([{ op: 'delete', stamp: { clock: 4 } }])

  // A device that had all goes on at its cursor; one from before the clean-up is told.
  expect(await pullAll(adapter, ws, { cursor: cleanedUpTo })).toMatchObject({ requiresSnapshot: false })
  expect((await pullAll(adapter, ws, { cursor: cleanedUpTo })).changes.map(change => [change.serverVersion, change.pk])).toEqual(tail)
  expect(await pullAll(adapter, ws, { cursor: 3 })).toMatchObject({ requiresSnapshot: true })
  const reportAs = (workspaceId: string, deviceId: string, version: number) => adapter.updateCursor(eventOf('ada', workspaceId), { scope: { workspaceId }, deviceId, version })
  await expect(reportAs(ws, 'phone', 0)).rejects.toMatchObject({ statusCode: 409 })
  await reportAs(ws, 'phone', server.head)
  await reportAs('shared', 'tablet', 0)
  // A cursor belongs to a device of its user: a device of that name of another user has its own.
  await reportAs('shared', 'bobs', 1)
  expect(report.cursors).toEqual(revision >= 7 ? { read: 3, written: 2, ownerless: 1 } : { read: 2, written: 1, ownerless: 1 })
})

/** What the old migrations left of rows and tombstones that were there before them. */
function age(database: DatabaseSync, revision: number) {
  if (revision < 3) {
    // Rows were keyed by their id alone: another workspace's row of that id took this one's place.
    database.exec(`delete from s_messages where id = 'm10'`)
    for (const [id, clock] of [['x', 3], ['y', 2]] as const) {
      insert(database, 'tombstones', { id, workspace_id: ws, table_name: 'messages', pk: 'm10', deleted_at: 1, clock, server_version: 14, created_at: 1 })
    }
  }
  if (revision >= 6) {
    database.exec(`
      update s_messages set hlc = '', op_id = 'legacy:messages:' || id || ':' || clock || ':' where id in ('m2', 'm3', 'm4', 'm10');
      update tombstones set hlc = '', op_id = 'legacy:tombstone:messages:' || pk || ':' || clock where pk in ('m10', 'm11');`)
  }
}

function addCursors(database: DatabaseSync, revision: number, head: number) {
  const cursor = (workspace: string, device: string, version: number, owner?: string) => insert(database, 'device_cursors', {
    id: device, workspace_id: workspace, device_id: device, last_seen_version: version, updated_at: 1_760_000_000, ...owner && { owner_user_id: owner },
  })
  // Only one user can be meant; one of two; one that is known.
  cursor(ws, 'phone', head)
  cursor('shared', 'tablet', 1)
  if (revision >= 7) cursor('shared', 'bobs', 1, 'bob')
}

function byName([a]: unknown[], [b]: unknown[]): number {
  return String(a) < String(b) ? -1 : 1
}

// Seen red with capital letters taken over: the two were one op id, and the move failed.
it('moves ops whose ids differ in capital letters alone', async () => {
  const old = await makeOldFile(17)
  addOldUser(old.database, { user: 'ada', workspace: ws })
  const server = createOldServer(old.database, ws, { revision: 17 })
  const opId = 'abcdef01-2345-4678-9abc-def012345678'
  for (const [pk, id] of [['a', opId], ['b', opId.toUpperCase()]] as const) server.push({ pk, payload: messageOf(pk), clock: 1, opId: id })
  const { adapter } = await move(old)
  const ids = (await pullAll(adapter, ws)).changes.map(change => change.stamp.opId)
  expect(ids).toEqual([opId, expect.stringMatching(uuid)])
  expect(ids[1]).not.toBe(opId)
})
