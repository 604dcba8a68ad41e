/**
 * Two tenants for the tests of isolation: A is a stranger's own workspace, every text of B holds a marker that no answer
 * to somebody without rights in B may hold.
 */
import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import type { SyncDatabase } from '../../../server/database/types.ts'
import { expectInvariants } from '../../unit/auth/invariants.ts'
import { type Answer, driverText, serveRoutes } from '../../helpers/http-server.ts'

export const MARKER = 'secret-of-b'
export const UNKNOWN = '00000000-0000-4000-8000-000000000000'

/** Their addresses hold the marker too. */
export const OWNER = `owner-with-${MARKER}`
export const INVITED = `invited-with-${MARKER}`

export interface Ids { workspaceId: string, userId: string, inviteId: string, token: string, linkId: string, linkToken: string }

export type World = Awaited<ReturnType<typeof createWorld>>

/**
 * Tenant A is the stranger's. Tenant B has an owner, an editor, a viewer, one who was removed, and an invite; every
 * text of it holds the marker.
 */
export async function createWorld() {
  const { call, database, meet, store } = await serveRoutes()
  const a = await meet('stranger')
  const owner = await meet(OWNER)
  const { workspaceId } = await store.createWorkspace({ userId: owner.userId, name: MARKER, description: MARKER })
  await call('POST /api/workspaces/active', { as: OWNER, body: { id: workspaceId } })
  const invites = `/api/workspaces/${workspaceId}/invites`
  for (const role of ['editor', 'viewer', 'removed']) {
    const { userId } = await meet(role)
    const body = { email: `${role}@example.org`, role: role === 'removed' ? 'editor' : role }
    const { body: { token } } = await call<{ token: string }>(`POST ${invites}`, { as: OWNER, body })
    await call('POST /api/invites/accept', { as: role, body: { token } })
    await call('POST /api/workspaces/active', { as: role, body: { id: workspaceId } })
    if (role === 'removed') await call(`DELETE /api/workspaces/${workspaceId}/members/${userId}`, { as: OWNER })
  }
  const body = { email: `${INVITED}@example.org`, role: 'owner' }
  const invited = await call<{ id: string, token: string }>(`POST ${invites}`, { as: OWNER, body })
  const link = await call<{ id: string, token: string }>(`POST /api/workspaces/${workspaceId}/invite-links`, { as: OWNER, body: { role: 'editor' } })
  const b: Ids = { workspaceId, userId: owner.userId, inviteId: invited.body.id, token: invited.body.token, linkId: link.body.id, linkToken: link.body.token }
  await expectInvariants(database)
  return { call, meet, database, a, b }
}

export function expectNoHint(answer: Answer): void {
  expect(answer.status).toBeLessThan(500)
  expect(answer.text).not.toContain(MARKER)
  expect(answer.text).not.toMatch(driverText)
}

export function expectSame(one: Answer, other: Answer): void {
  const visible = ({ status, text, headers }: Answer) => ({
    status, text, headers: [...headers].filter(([name]) => name !== 'date'),
  })
  expect(visible(one)).toEqual(visible(other))
}

/** Nothing in the database differs after the probes, down to the last row. */
export async function expectUnchanged(database: SyncDatabase, probing: () => Promise<void>): Promise<void> {
  const tables = await database.read.all<{ name: string }>(
    sql`select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' and name <> 'layer_state'`,
  )
  const dump = () => Promise.all(tables.map(({ name }) => database.read.all(sql`select * from ${sql.identifier(name)} order by 1, 2`)))
  const before = await dump()
  await probing()
  expect(await dump()).toEqual(before)
}
