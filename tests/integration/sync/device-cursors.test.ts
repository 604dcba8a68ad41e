/** Cursors belong to a user and device, are bounded, and go with the membership. */
import { sql } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { serveRoutes } from '../../helpers/http-server.ts'
import { putOf } from '../../helpers/sync.ts'

async function withViewer(limits: object = {}) {
  const server = await serveRoutes({ limits: { rateLimits: false, ...limits } })
  const { workspaceId } = await server.meet('ann')
  const { userId } = await server.meet('ben')
  const { call } = server
  const { body: { token } } = await call<{ token: string }>(`POST /api/workspaces/${workspaceId}/invites`, { as: 'ann', body: { email: 'ben@example.org', role: 'viewer' } })
  await call('POST /api/invites/accept', { as: 'ben', body: { token } })
  const scope = { workspaceId }
  await server.post('push', { scope, ops: [putOf('a')] })
  const report = (as: string, deviceId: string, version = 1) => server.post('update-cursor', { scope, deviceId, version }, { 'x-user': as })
  const countCursors = async () => (await server.database.read.all<{ count: number }>(sql`select count(*) as count from device_cursors where workspace_id = ${workspaceId}`))[0]!.count
  return { ...server, scope, benId: userId, report, countCursors }
}

// Seen red with cursors by device alone: the owner's device got 403, also after the viewer was gone.
it('does not let another member take a device, and drops a member\'s cursors with the membership', async () => {
  const { call, scope, benId, report, countCursors } = await withViewer()
  expect((await report('ben', 'anns-phone', 1)).status).toBe(200)
  // Seen red with the other's cursor looked at: 409, since hers is behind it.
  expect((await report('ann', 'anns-phone', 0)).status).toBe(200)
  expect(await countCursors()).toBe(2)
  expect((await call(`DELETE /api/workspaces/${scope.workspaceId}/members/${benId}`, { as: 'ann' })).status).toBe(200)
  expect(await countCursors()).toBe(1)
  expect((await report('ann', 'anns-phone')).status).toBe(200)
})

// Seen red without the bound: one row a request.
it('keeps so many devices of a user, and forgets the one that was silent longest', async () => {
  const { database, report, countCursors } = await withViewer({ maxDevicesPerUser: 3 })
  await report('ben', 'bens')
  for (let index = 0; index < 6; index++) {
    await report('ann', `device-${index}`)
    await database.write(tx => tx.run(sql`update device_cursors set updated_at = updated_at - 10`))
  }
  expect(await countCursors()).toBe(4)
  const left = await database.read.all<{ id: string }>(sql`select device_id as id from device_cursors order by device_id`)
  expect(left.map(row => row.id)).toEqual(['bens', 'device-3', 'device-4', 'device-5'])
})
