/** What a session may is decided once the body is there, on every route that changes something; and tokens are counted. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { getRequestHeader } from 'h3'
import { expect, it, onTestFinished } from 'vitest'
import { serveRoutes } from '../../helpers/http-server.ts'
import { putOf } from '../../helpers/sync.ts'

/** Sends all of a request but its last byte; `finish` sends that and gives the status. */
async function hold(origin: string, route: string, body: object) {
  const [method, path] = route.split(' ')
  const socket = connect(Number(new URL(origin).port), '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  await once(socket, 'connect')
  const text = JSON.stringify(body)
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: x\r\nx-user: ann\r\nconnection: close\r\ncontent-length: ${text.length}\r\n\r\n${text.slice(0, -1)}`)
  await sleep(100)
  return async () => {
    let answer = ''
    socket.on('data', chunk => answer += chunk.toString())
    socket.write(text.slice(-1))
    await once(socket, 'close')
    return Number(/^HTTP\/1.1 (\d+)/.exec(answer)![1])
  }
}

// Seen red with the session of the first byte: 200 for each.
it('refuses a change whose session ended while its body was on the way', { timeout: 30_000 }, async () => {
  let isSignedIn = true
  const provider = {
    getSession(event: Parameters<typeof getRequestHeader>[0]) {
      const id = getRequestHeader(event, 'x-user')
      return id && isSignedIn ? { user: { id, email: `${id}@example.org` } } : null
    },
  }
  const { origin, call, meet } = await serveRoutes({ provider })
  const { userId, workspaceId } = await meet('ann')
  const routes: [string, object][] = [
    ['POST /api/workspaces', { name: 'Late' }],
    [`PATCH /api/workspaces/${workspaceId}`, { name: 'Late' }],
    ['POST /api/workspaces/active', { id: workspaceId }],
    [`POST /api/workspaces/${workspaceId}/invites`, { email: 'x@example.org', role: 'viewer' }],
    [`PATCH /api/workspaces/${workspaceId}/members/${userId}`, { role: 'owner' }],
    ['POST /api/invites/accept', { token: `${workspaceId}.${'a'.repeat(43)}` }],
    [`POST /api/workspaces/${workspaceId}/invite-links`, { role: 'viewer' }],
    ['POST /api/sync/push', { scope: { workspaceId }, ops: [putOf('late')] }],
    ['POST /api/sync/update-cursor', { scope: { workspaceId }, deviceId: 'd', version: 0 }],
    ['POST /api/sync/gc-tombstones', { scope: { workspaceId }, retentionSeconds: 3_600 }],
  ]
  const held = []
  for (const [route, body] of routes) held.push(await hold(origin, route, body))
  isSignedIn = false
  const statuses = []
  for (const finish of held) statuses.push(await finish())
  expect(statuses).toEqual(routes.map(() => 401))
  isSignedIn = true
  const { body } = await call<{ workspaces: { name: string }[] }>('GET /api/workspaces', { as: 'ann' })
  expect(body.workspaces.map(one => one.name)).not.toContain('Late')
})

// Seen red without the count: a thousand a second.
it('counts wrong invite tokens, and says when to come back', async () => {
  const { call, meet } = await serveRoutes({ limits: { rateLimits: { workspaces: 3 } } })
  const { workspaceId } = await meet('ann')
  const attempt = () => call('POST /api/invites/accept', { as: 'ann', body: { token: `${workspaceId}.${'a'.repeat(43)}` } })
  for (let turn = 0; turn < 3; turn++) expect((await attempt()).status).toBe(404)
  const refused = await attempt()
  expect(refused.status).toBe(429)
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
})
