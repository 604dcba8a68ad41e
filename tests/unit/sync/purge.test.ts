/** What is left of a deleted workspace goes after the retention, whole or not at all. */
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import type { H3Event } from 'h3'
import { createAdminStoreProvider } from '../../../server/host/admin/store-provider.ts'
import { createAuthWorkspaceStore } from '../../../server/host/auth-store.ts'
import { inAnHour, invite, signIn } from '../../contract/auth-store-helpers.ts'
import { adapterOf, engineOf } from '../../helpers/engine.ts'
import { openTestDatabase, type TestDatabase } from '../../helpers/database.ts'
import { nowSeconds } from '../../../server/lib/clock.ts'
import { deleteOf, eventOf, putOf, startClock } from '../../helpers/sync.ts'

const hour = 3_600

/** A workspace of one owner with so many rows, deleted an hour ago by an administrator. */
async function openWithDeleted(rows: number) {
  const clock = startClock()
  const database = await openTestDatabase()
  const store = createAuthWorkspaceStore(async () => database)
  const access = createAdminStoreProvider(async () => database, 'p').createWorkspaceAccessStore({} as H3Event)
  const ann = await signIn(store, 'ann')
  const { workspaceId } = await store.createWorkspace({ userId: ann, name: 'Soon gone' })
  const ops = Array.from({ length: rows }, (_, index) => putOf(`m${index}`))
  await adapterOf(database).push(eventOf(ann, workspaceId), { scope: { workspaceId }, ops })
  const remove = () => access.softDeleteWorkspace({ workspaceId, deletedAt: Date.now() })
  const clean = () => engineOf(database).cleanAllWorkspaces({ retentionSeconds: hour })
  return { clock, database, store, access, ann, workspaceId, remove, clean }
}

const countOf = async (database: TestDatabase, table: string) =>
  (await database.read.all<{ n: number }>(sql`select count(*) as n from ${sql.identifier(table)}`))[0]!.n

// Seen red with the members last: the restore was accepted, and the workspace had no row.
it('does not give a workspace back half empty to an administrator who restores it meanwhile', async () => {
  const { clock, database, access, workspaceId, clean } = await openWithDeleted(900)
  await access.softDeleteWorkspace({ workspaceId, deletedAt: nowSeconds() })
  clock.advance(hour + 1)
  const cleaning = clean()
  while (await countOf(database, 'records') === 900) await new Promise(resolve => setImmediate(resolve))
  await expect(access.restoreWorkspace({ workspaceId })).rejects.toMatchObject({ data: { code: expect.stringMatching('LAST_OWNER|NOT_FOUND') } })
  expect(await cleaning).toMatchObject({ purged: 1 })
  expect(await countOf(database, 'records')).toBe(0)
})

it('leaves a workspace alone that was restored before', async () => {
  const { clock, database, access, workspaceId, remove, clean } = await openWithDeleted(3)
  await remove()
  clock.advance(hour + 1)
  await access.restoreWorkspace({ workspaceId })
  expect(await clean()).toMatchObject({ purged: 0 })
  expect(await countOf(database, 'records')).toBe(3)
})

// Seen red: milliseconds were taken for seconds, some 50,000 years from now.
it('counts from the moment that a host\'s administrator gives in milliseconds', async () => {
  const { clock, database, remove, clean } = await openWithDeleted(3)
  await remove()
  clock.advance(hour - 1)
  expect(await clean()).toMatchObject({ purged: 0 })
  clock.advance(2)
  expect(await clean()).toMatchObject({ purged: 1 })
  expect(await countOf(database, 'records')).toBe(0)
})

// Seen red with the deferred devices left out.
it('leaves no row of the workspace in any table that it fills', async () => {
  const { clock, database, store, ann, workspaceId, remove, clean } = await openWithDeleted(3)
  await invite(store, workspaceId, ann, { email: 'x@example.org' })
  await store.createInviteLink({ workspaceId, createdByUserId: ann, role: 'viewer', maxUses: 1, expiresAt: inAnHour(), tokenHash: 'h' })
  await database.write(async (tx) => {
    await tx.run(sql`insert into device_cursors (workspace_id, user_id, device_id, cursor, updated_at) values (${workspaceId}, ${ann}, 'd', 0, 1)`)
    await tx.run(sql`insert into deferred_devices (workspace_id, user_id, device_id, horizon, deferred_at, released) values (${workspaceId}, ${ann}, 'd', 1, 1, 0)`)
  })
  const tables = await database.read.all<{ name: string }>(sql`
    select name from sqlite_master m where type = 'table' and exists (select 1 from pragma_table_info(m.name) where name = 'workspace_id')`)
  const listFilled = async () => {
    const filled = []
    for (const { name } of tables) if ((await database.read.all(sql`select 1 from ${sql.identifier(name)} where workspace_id = ${workspaceId}`)).length > 0) filled.push(name)
    return filled.sort()
  }
  expect(await listFilled()).toEqual(['deferred_devices', 'device_cursors', 'invite_links', 'invites', 'logs', 'workspace_members'])
  await remove()
  clock.advance(hour + 1)
  expect(await clean()).toMatchObject({ purged: 1, failures: [] })
  expect(await listFilled()).toEqual([])
})

// Seen red: a new device with each request, each with a row that stayed for ever.
it('forgets with a cursor that its device was deferred', async () => {
  const { clock, database, ann, workspaceId, clean } = await openWithDeleted(1)
  const adapter = adapterOf(database)
  const scope = { workspaceId }
  const event = eventOf(ann, workspaceId)
  await adapter.push(event, { scope, ops: [deleteOf('m0', { stamp: { clock: 2 } })] })
  clock.advance(hour + 1)
  await clean()
  for (const device of ['kept', 'gone']) {
    await adapter.updateCursor(event, { scope, deviceId: device, version: 0 })
    await adapter.push(event, { scope, ops: [putOf('new', { stamp: { deviceId: device } })] })
  }
  expect(await countOf(database, 'deferred_devices')).toBe(2)
  await database.write(tx => tx.run(sql`delete from device_cursors where device_id = 'gone'`))
  await clean()
  expect(await database.read.all(sql`select device_id as id from deferred_devices`)).toEqual([{ id: 'kept' }])
})
