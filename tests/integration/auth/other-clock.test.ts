/**
 * On a database that several servers share, what has an end goes by the database's clock: a server whose own is an hour
 * ahead ends nothing before its time. Seen red with the server's clock.
 */
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { createAuthWorkspaceStore } from '../../../server/host/auth-store.ts'
import { createMaintenanceLog } from '../../../server/sync/retention/maintenance-log.ts'
import { cleanAllWorkspaces } from '../../../server/sync/retention/all-workspaces.ts'
import { inAnHour, signIn } from '../../contract/auth-store-helpers.ts'
import { serveRoutes } from '../../helpers/http-server.ts'
import { openRemoteTestDatabase, useSqld } from '../../helpers/remote-database.ts'
import { startClock } from '../../helpers/sync.ts'

const sqld = useSqld()
const hour = 3_600

/** A workspace of a server with the right clock; what comes after `goAhead` is another server's. */
async function openShared() {
  const database = await openRemoteTestDatabase({ url: (await sqld()).wsUrl, now: () => null })
  const store = createAuthWorkspaceStore(async () => database)
  const ann = await signIn(store, 'ann')
  const { workspaceId } = await store.createWorkspace({ userId: ann, name: 'Shared' })
  return { database, store, ann, workspaceId, goAhead: () => startClock(new Date(Date.now() + 1.5 * hour * 1000)) }
}

it('keeps invites and links that last', async () => {
  const { store, ann, workspaceId, goAhead } = await openShared()
  const invite = { workspaceId, email: 'bob@example.org', tokenHash: 'invite' }
  await store.createInvite({ ...invite, role: 'viewer', invitedByUserId: ann, expiresAt: inAnHour() })
  const link = { workspaceId, createdByUserId: ann, role: 'viewer' as const, maxUses: 1 }
  await store.createInviteLink({ ...link, expiresAt: inAnHour(), tokenHash: 'link' })
  goAhead()
  // Making and listing drop what is over.
  await store.createInviteLink({ ...link, expiresAt: inAnHour(), tokenHash: 'other' })
  expect(await store.listInvites({ workspaceId })).toMatchObject([{ status: 'pending' }])
  expect(await store.listInviteLinks({ workspaceId })).toHaveLength(2)
  expect(await store.validateInvite(invite)).toEqual({ ok: true, role: 'viewer' })
  const bob = { provider: 'p', providerUserId: 'bob', email: 'bob@example.org' }
  expect(await store.acceptInviteAndProvisionUser({ ...invite, ...bob })).toMatchObject({ ok: true, role: 'viewer' })
  expect(await store.acceptInviteLink({ workspaceId, tokenHash: 'link', provider: 'p', providerUserId: 'joe' })).toMatchObject({ ok: true, role: 'viewer' })
}, 60_000)

it('makes invites and links that last as long as was asked for', async () => {
  const { call, meet } = await serveRoutes({ databaseUrl: (await sqld()).wsUrl })
  const { workspaceId } = await meet('ann')
  const earliest = inAnHour()
  startClock(new Date(Date.now() - 1.5 * hour * 1000))
  for (const [kind, body] of Object.entries({ 'invites': { email: 'bob@example.org' }, 'invite-links': {} })) {
    const made = await call<{ expiresAt: number }>(`POST /api/workspaces/${workspaceId}/${kind}`, { as: 'ann', body: { role: 'viewer', expiresInSeconds: hour, ...body } })
    expect(made).toMatchObject({ status: 200 })
    expect(made.body.expiresAt).toBeGreaterThanOrEqual(earliest)
  }
}, 60_000)

it('keeps a deleted workspace for the retention, whichever server deletes it and whichever cleans up', async () => {
  const { database, store, ann, workspaceId, goAhead } = await openShared()
  const clean = () => cleanAllWorkspaces(database, createMaintenanceLog(database), { retentionSeconds: hour })
  await store.removeWorkspace({ workspaceId, userId: ann })
  const clock = goAhead()
  expect(await clean()).toMatchObject({ purged: 0, failures: [] })
  await database.write(tx => tx.run(sql`update workspaces set deleted_at = deleted_at - ${hour + 60}`))
  expect(await clean()).toMatchObject({ purged: 1 })

  const { workspaceId: next } = await store.createWorkspace({ userId: ann, name: 'Next' })
  clock.advance(-5 * hour)
  await store.removeWorkspace({ workspaceId: next, userId: ann })
  expect(await clean()).toMatchObject({ purged: 0 })
}, 60_000)
