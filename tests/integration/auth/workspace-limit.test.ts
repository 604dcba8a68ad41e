/** How many workspaces one user can have at once, and how often they may change something. */
import { eq } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { workspaceMembers, workspaces } from '../../../server/database/schema/index.ts'
import { admit } from '../../contract/auth-store-helpers.ts'
import { serveRoutes } from '../../helpers/http-server.ts'

// Seen red without the limit; with deleted ones counted; with those counted that the user is no owner of.
it('is a thousand living ones that they own', async () => {
  const { call, meet, database, store } = await serveRoutes()
  const { userId } = await meet('ann')
  const { userId: ben, workspaceId: bens } = await meet('ben')
  await admit(store, ben, bens, userId, 'editor')
  const own = Array.from({ length: 999 }, (_, number) => ({ id: `w${number}`, name: 'W', createdAt: 1 }))
  await database.write(async (tx) => {
    await tx.insert(workspaces).values([...own, { id: 'gone', name: 'W', createdAt: 1, deletedAt: 2 }])
    await tx.insert(workspaceMembers).values([...own.slice(1), { id: 'gone' }]
      .map(({ id }) => ({ workspaceId: id, userId, role: 'owner' as const, createdAt: 1 })))
  })
  const create = (as: string) => call<{ id: string }>('POST /api/workspaces', { as, body: { name: 'W' } })
  const made = await create('ann')
  expect(made.status).toBe(200)
  expect(await create('ann')).toMatchObject({
    status: 409, body: { data: { code: 'CONFLICT' }, message: 'One user owns at most 1000 workspaces: delete one first.' },
  })
  expect((await create('ben')).status).toBe(200)
  await call(`DELETE /api/workspaces/${made.body.id}`, { as: 'ann' })
  expect((await create('ann')).status).toBe(200)
  await database.write(tx => tx.update(workspaceMembers).set({ role: 'viewer' }).where(eq(workspaceMembers.workspaceId, 'w1')))
  expect((await create('ann')).status).toBe(200)
  expect((await create('ann')).status).toBe(409)
})

// Seen red without the limit: one user's thousands of writes were before everybody's.
it('counts the changes that one user makes in a minute, of whatever kind', async () => {
  const { call, meet } = await serveRoutes({ limits: { rateLimits: { workspaces: 3 } } })
  const { workspaceId } = await meet('ann')
  await meet('ben')
  const change = (route: string, body?: object, as = 'ann') => call(route, { as, body }).then(({ status }) => status)
  expect(await change('POST /api/workspaces', { name: 'one' })).toBe(200)
  expect(await change(`POST /api/workspaces/${workspaceId}/invites`, { email: 'x@example.org', role: 'viewer' })).toBe(200)
  expect(await change(`PATCH /api/workspaces/${workspaceId}`, { name: '' })).toBe(400)
  expect(await change('POST /api/workspaces', { name: 'two' })).toBe(429)
  expect(await change('GET /api/workspaces')).toBe(200)
  expect(await change('POST /api/workspaces', { name: 'own' }, 'ben')).toBe(200)
})
