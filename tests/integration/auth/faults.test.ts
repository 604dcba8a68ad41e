/**
 * A database that fails in a way nobody foresaw: the caller is told that it failed and nothing of how, the log is told
 * all. A host answers the text of whatever is thrown that is no h3 error, so the store must throw none.
 * Seen red: a room's error passed on as it is.
 */
import { sql } from 'drizzle-orm'
import { isError } from 'h3'
import { expect, it, vi } from 'vitest'
import type { SyncDatabase } from '../../../server/database/types.ts'
import { createAuthWorkspaceStore } from '../../../server/host/auth-store.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { driverText, serveRoutes } from '../../helpers/http-server.ts'

/** Before anything is imported: a logger with a tag takes this over when it is made. */
const logged = await vi.hoisted(async () => {
  const { consola } = await import('consola')
  const logged: unknown[][] = []
  consola.mockTypes(type => (...all: unknown[]) => void (type === 'error' && logged.push(all)))
  return logged
})

it('every method of the store fails without the driver\'s words', async () => {
  const database = await openTestDatabase()
  const store = createAuthWorkspaceStore(() => Promise.resolve(database))
  await dropTables(database)
  const ids = { userId: 'u', workspaceId: 'w', memberUserId: 'm', provider: 'p', providerUserId: 'u', email: 'secret@example.org', name: 'W', role: 'owner',
    tokenHash: 'h', expiresAt: 4e9, invitedByUserId: 'u', inviteId: 'i', revokedByUserId: 'u', acceptedUserId: 'u' }
  for (const [name, method] of Object.entries(store)) {
    logged.length = 0
    const call = method as (input: unknown) => Promise<unknown>
    const error: unknown = await call(/DefaultWorkspace|listUserWorkspaces/.test(name) ? 'u' : ids).catch((thrown: unknown) => thrown)
    expect([name, isError(error)]).toEqual([name, true])
    expect(error).toMatchObject({ statusCode: 503, data: { code: 'DATABASE_UNAVAILABLE' } })
    expect(JSON.stringify(error)).not.toMatch(driverText)
    expect(logged).toEqual([[expect.any(String), expect.objectContaining({ message: expect.stringMatching(driverText) })]])
  }
})

it.each(['GET', 'POST'])('%s invites fails without the driver\'s words', async (method) => {
  const { call, database, meet } = await serveRoutes()
  const { workspaceId } = await meet('ann')
  await database.write(tx => tx.run(sql`drop table invites`))
  const body = method === 'GET' ? undefined : { email: 'secret@example.org', role: 'viewer' }
  const answer = await call(`${method} /api/workspaces/${workspaceId}/invites`, { as: 'ann', body })
  expect(answer).toMatchObject({ status: 503, body: { data: { code: 'DATABASE_UNAVAILABLE' } } })
  // Only the test's server shows the cause.
  const { cause, ...visible } = answer.body as { cause?: unknown }
  expect(JSON.stringify(visible)).not.toMatch(driverText)
  expect(JSON.stringify(visible)).not.toContain('secret')
})

async function dropTables(database: SyncDatabase): Promise<void> {
  for (const table of ['invites', 'invite_links', 'workspace_members', 'auth_accounts', 'users', 'workspaces']) {
    await database.write(tx => tx.run(sql`alter table ${sql.identifier(table)} rename to ${sql.identifier(`lost_${table}`)}`))
  }
}
