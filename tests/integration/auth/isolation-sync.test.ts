/**
 * Every sync route × every wrong identity (promises P8 and T13): nothing of B's rows, keys, versions, op ids, devices or
 * snapshots reaches somebody without rights there, and nothing of B changes.
 * Seen red: `authorize` without its workspace, `can` without its permission, a body read before the session; the workspace
 * taken out of a pull, a snapshot, the look-ups of winners and op ids, a device's cursor, a clean-up and `isForeign`; the
 * workspace or the user out of a page token's check; the owner out of a pull, a snapshot and `decide`.
 */
import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { CleanUpResult, PendingOp, PullResponse, PushResult, SnapshotResponse } from '../../../shared/protocol.ts'
import { deleteOf, payloads, putOf, startClock } from '../../helpers/sync.ts'
import { routeNames } from '../../helpers/http-server.ts'
import { createWorld, expectNoHint, expectSame, expectUnchanged, MARKER, OWNER, UNKNOWN } from './two-tenants.ts'

const DEVICE = `device-with-${MARKER}`

/** A right body for each route, but for the scope, with the roles that it refuses. */
const probes: { route: string, body: object, refused: string[] }[] = [
  { route: 'POST /api/sync/push', body: { ops: [putOf('planted')] }, refused: ['viewer'] },
  { route: 'POST /api/sync/pull', body: { cursor: 0, limit: 1000 }, refused: [] },
  { route: 'POST /api/sync/snapshot', body: { pageSize: 1000 }, refused: [] },
  { route: 'POST /api/sync/update-cursor', body: { deviceId: 'device-1', version: 0 }, refused: [] },
  { route: 'POST /api/sync/gc-change-log', body: { retentionSeconds: 3600 }, refused: ['viewer', 'editor'] },
  { route: 'POST /api/sync/gc-tombstones', body: { retentionSeconds: 3600 }, refused: ['viewer', 'editor'] },
]

it('every sync route is probed', () => {
  expect(probes.map(({ route }) => route).sort()).toEqual(routeNames.filter(name => name.includes('/api/sync/')).sort())
})

describe.each(probes)('$route', ({ route, body, refused }) => {
  const inWorkspace = (workspaceId: unknown) => ({ scope: { workspaceId }, ...body })

  it('answers 401 to nobody, whatever they ask for', async () => {
    const world = await createSyncWorld()
    await expectUnchanged(world.database, async () => {
      const answer = await world.call(route, { body: inWorkspace(world.b.workspaceId) })
      expect(answer).toMatchObject({ status: 401, body: { data: { code: 'UNAUTHENTICATED' } } })
      for (const wrong of [inWorkspace(UNKNOWN), {}, 'x'.repeat(1_000)]) expectSame(answer, await world.call(route, { body: wrong }))
    })
  })

  it('answers 403 alike for a workspace of others and for none', async () => {
    const world = await createSyncWorld()
    await expectUnchanged(world.database, async () => {
      for (const as of ['stranger', 'removed']) {
        const answer = await world.call(route, { as, body: inWorkspace(world.b.workspaceId) })
        expect(answer).toMatchObject({ status: 403, body: { data: { code: 'NOT_A_MEMBER', retryable: false } } })
        expectNoHint(answer)
        for (const other of [UNKNOWN, '__proto__', 'a\0b', '\uD800', '']) expectSame(answer, await world.call(route, { as, body: inWorkspace(other) }))
      }
    })
  })

  it('answers the members of a deleted workspace as if it had never been', async () => {
    const world = await createSyncWorld()
    await world.call(`DELETE /api/workspaces/${world.b.workspaceId}`, { as: OWNER })
    for (const as of [OWNER, 'editor', 'viewer']) await world.meet(as)
    await expectUnchanged(world.database, async () => {
      for (const as of [OWNER, 'editor', 'viewer']) {
        const answer = await world.call(route, { as, body: inWorkspace(world.b.workspaceId) })
        expect(answer).toMatchObject({ status: 403, body: { data: { code: 'NOT_A_MEMBER' } } })
        expectNoHint(answer)
        expectSame(answer, await world.call(route, { as, body: inWorkspace(UNKNOWN) }))
      }
    })
  })

  it('answers 403 to a lower role, and serves the others', async () => {
    const world = await createSyncWorld()
    for (const as of ['viewer', 'editor', OWNER]) {
      const { status } = await world.call(route, { as, body: { ...inWorkspace(world.b.workspaceId), deviceId: `device of ${as}` } })
      expect([as, status]).toEqual([as, refused.includes(as) ? 403 : 200])
    }
  })

  it('decides by the role in the workspace it names, whichever one is active', async () => {
    const world = await createSyncWorld()
    const [a, b] = [world.a.workspaceId, world.b.workspaceId]
    // Owner of the active workspace and viewer of B, then the other way round.
    const { body: own } = await world.call<{ id: string }>('POST /api/workspaces', { as: 'viewer', body: { name: 'own' } })
    const scoped = (workspaceId: string) => ({ ...inWorkspace(workspaceId), deviceId: `device in ${workspaceId}` })
    for (const active of [own.id, b]) {
      await world.call('POST /api/workspaces/active', { as: 'viewer', body: { id: active } })
      const ask = (workspaceId: string) => world.call(route, { as: 'viewer', body: scoped(workspaceId) })
      expect((await ask(own.id)).status).toBe(200)
      const answer = await ask(b)
      expect(answer.status).toBe(refused.includes('viewer') ? 403 : 200)
      if (answer.status === 403) {
        const code = route.endsWith('push') ? 'READ_ONLY' : 'FORBIDDEN'
        expect(answer).toMatchObject({ body: { data: { code, retryable: false } } })
      }
      expect(await ask(a)).toMatchObject({ status: 403, body: { data: { code: 'NOT_A_MEMBER' } } })
    }
    expect((await world.call(route, { as: 'elsewhere', body: { ...scoped(b), deviceId: 'another device' } })).status).toBe(200)
  })

  it('goes on in a workspace while another device of the user makes another one active', async () => {
    const world = await createSyncWorld()
    const { body: other } = await world.call<{ id: string }>('POST /api/workspaces', { as: OWNER, body: { name: 'other' } })
    await world.call('POST /api/workspaces/active', { as: OWNER, body: { id: other.id } })
    expect((await world.call(route, { as: OWNER, body: inWorkspace(world.b.workspaceId) })).status).toBe(200)
    const { workspaceId } = await world.meet(OWNER)
    expect(workspaceId, 'a request in another workspace does not switch').toBe(other.id)
  })

  it('refuses a removed and a demoted member at their next request', async () => {
    const world = await createSyncWorld()
    const { userId } = await world.meet('editor')
    const ask = async () => (await world.call(route, { as: 'editor', body: inWorkspace(world.b.workspaceId) })).status
    const member = `/api/workspaces/${world.b.workspaceId}/members/${userId}`
    for (const role of ['owner', 'viewer'] as const) {
      await world.call(`PATCH ${member}`, { as: OWNER, body: { role } })
      expect([role, await ask()]).toEqual([role, role === 'viewer' && refused.includes(role) ? 403 : 200])
    }
    await world.call(`DELETE ${member}`, { as: OWNER })
    expect(await ask()).toBe(403)
    expect((await world.call(route, { as: 'editor', body: inWorkspace(world.b.workspaceId) })).body)
      .toMatchObject({ data: { code: 'NOT_A_MEMBER' } })
  })

  it('does not take another workspace from anywhere but the scope', async () => {
    const world = await createSyncWorld()
    const [a, b] = [world.a.workspaceId, world.b.workspaceId]
    const rest = JSON.stringify(body).slice(1)
    await expectUnchanged(world.database, async () => {
      for (const text of [
        `{"scope":{"workspaceId":"${a}"},"scope":{"workspaceId":"${b}"},${rest}`,
        `{"scope":{"workspaceId":"${a}","workspaceId":"${b}"},${rest}`,
        `{"scope":{"__proto__":{"workspaceId":"${b}"}},${rest}`,
        `{"__proto__":{"scope":{"workspaceId":"${b}"}},${rest}`,
        `{"scope":[{"workspaceId":"${b}"}],${rest}`,
        `{"scope":{"workspaceId":["${b}"]},${rest}`,
      ]) {
        const answer = await world.call(route, { as: 'stranger', body: text })
        expect([text, [400, 403].includes(answer.status)]).toEqual([text, true])
        expectNoHint(answer)
      }
    })
    const answer = await world.call(route, { as: 'stranger', body: { scope: { workspaceId: a, projectId: b }, workspaceId: b, ...body } })
    expect(answer.status).toBe(200)
    expectNoHint(answer)
  })
})

describe('in a workspace of one\'s own', () => {
  it('the keys and op ids of another are free, and its rows stay what they are', async () => {
    const world = await createSyncWorld()
    const before = await world.pull(OWNER, world.b.workspaceId)
    const push = (ops: PendingOp[]) =>
      world.call<PushResult>('POST /api/sync/push', { as: 'stranger', body: { scope: { workspaceId: world.a.workspaceId }, ops } })
    // So that the versions of B's rows are versions of A's too.
    await push(['a', 'b', 'c'].map(pk => putOf(pk)))
    const { body, text } = await push([
      putOf('row', { payload: payloads.messages('row', { text: 'mine' }), stamp: { opId: world.op.stamp.opId, clock: 0 } }),
      deleteOf('gone', { stamp: { clock: 0 } }),
    ])
    const applied = { success: true, applied: true }
    expect(body).toMatchObject({ serverVersion: 5, results: [{ ...applied, serverVersion: 4 }, { ...applied, serverVersion: 5 }] })
    expect(text).not.toContain(MARKER)
    expect(await world.pull(OWNER, world.b.workspaceId)).toEqual(before)
  })

  it('an op cannot name another workspace', async () => {
    const world = await createSyncWorld()
    const ops = [putOf('x', { payload: payloads.messages('x', { workspace_id: world.b.workspaceId }) }), deleteOf('row', { payload: { id: 'row', workspace_id: world.b.workspaceId } })]
    await expectUnchanged(world.database, async () => {
      const { body } = await world.call<PushResult>('POST /api/sync/push', { as: 'stranger', body: { scope: { workspaceId: world.a.workspaceId }, ops } })
      expect(body.results.map(result => result.errorCode)).toEqual(['VALIDATION_ERROR', 'VALIDATION_ERROR'])
    })
  })

  it('a cursor of another leads to nothing of it, and a device of another has no cursor yet', async () => {
    const world = await createSyncWorld()
    const { body, text } = await world.call<PullResponse>('POST /api/sync/pull', { as: 'stranger', body: { scope: { workspaceId: world.a.workspaceId }, cursor: 3, limit: 1000 } })
    expect(body).toMatchObject({ changes: [], requiresSnapshot: true, oldestRetainedVersion: 1 })
    expect(text).not.toContain(MARKER)
    const update = { scope: { workspaceId: world.a.workspaceId }, deviceId: DEVICE, version: 0 }
    expect(await world.call('POST /api/sync/update-cursor', { as: 'stranger', body: update })).toMatchObject({ status: 200, body: { ok: true } })
  })

  it('a page token of another, or of another member, is refused wherever it is sent', async () => {
    const world = await createSyncWorld()
    const [a, b] = [world.a.workspaceId, world.b.workspaceId]
    for (const [as, workspaceId] of [['stranger', a], ['stranger', b], ['removed', b], ['viewer', b]] as const) {
      const answer = await world.call('POST /api/sync/snapshot', { as, body: { scope: { workspaceId }, pageSize: 1, pageToken: world.pageToken } })
      expect(answer.status).toBe(403)
      expectNoHint(answer)
    }
    const flipped = `${world.pageToken.slice(0, 4)}${world.pageToken[4] === 'A' ? 'B' : 'A'}${world.pageToken.slice(5)}`
    for (const pageToken of [flipped, 'x', '..', world.pageToken.split('.').slice(0, 2).join('.')]) {
      const answer = await world.call('POST /api/sync/snapshot', { as: 'stranger', body: { scope: { workspaceId: a }, pageSize: 1, pageToken } })
      expect(answer.status).toBe(400)
      expectNoHint(answer)
    }
    const next = await world.call<SnapshotResponse>('POST /api/sync/snapshot', { as: OWNER, body: { scope: { workspaceId: b }, pageSize: 1000, pageToken: world.pageToken } })
    expect(next.body.items.length).toBeGreaterThan(0)
  })

  it('clean-up reaches no other', async () => {
    const clock = startClock()
    const world = await createSyncWorld()
    const [a, b] = [world.a.workspaceId, world.b.workspaceId]
    // The same keys in the same versions, superseded and deleted, in both.
    for (const [as, workspaceId] of [['stranger', a], [OWNER, b]] as const) {
      const ops = [6, 7].flatMap(clock => [putOf('row', { stamp: { clock } }), deleteOf('gone', { stamp: { clock } })])
      await world.call('POST /api/sync/push', { as, body: { scope: { workspaceId }, ops: as === OWNER ? ops : [putOf('a'), putOf('b'), putOf('c'), ...ops] } })
    }
    await world.call('POST /api/sync/update-cursor', { as: OWNER, body: { scope: { workspaceId: b }, deviceId: DEVICE, version: 7 } })
    const before = await world.pull(OWNER, b)
    clock.advance(7_200)
    const clean = (as: string, workspaceId: string, route: string) =>
      world.call<CleanUpResult>(`POST /api/sync/${route}`, { as, body: { scope: { workspaceId }, retentionSeconds: 3600 } })
    expect(await clean('stranger', a, 'gc-change-log')).toMatchObject({ status: 200, body: { droppedChanges: 2, head: 7 } })
    expect(await clean('stranger', a, 'gc-tombstones')).toMatchObject({ status: 200, body: { droppedTombstones: 1 } })
    expect(await world.pull(OWNER, b)).toEqual(before)
    expect((await clean(OWNER, b, 'gc-change-log')).body.droppedChanges).toBeGreaterThan(0)
  })
})

describe('a row that belongs to one member', () => {
  it('is neither read, named as a winner, overwritten nor deleted by another', async () => {
    const world = await createSyncWorld()
    const scope = { workspaceId: world.b.workspaceId }
    const private_ = 'note-of-the-owner'
    await world.call('POST /api/sync/push', { as: OWNER, body: { scope, ops: [notification(private_, world.b.userId)] } })
    const { userId } = await world.meet('editor')
    const answers = [
      await world.call('POST /api/sync/pull', { as: 'editor', body: { scope, cursor: 0, limit: 1000 } }),
      await world.call('POST /api/sync/pull', { as: 'editor', body: { scope, cursor: 0, limit: 1000, tables: ['notifications'] } }),
      await world.call('POST /api/sync/snapshot', { as: 'editor', body: { scope, pageSize: 1000, tables: ['notifications'] } }),
      await world.call('POST /api/sync/push', { as: 'editor', body: { scope, ops: [
        notification(private_, userId, 9), notification(private_, world.b.userId, 9),
        deleteOf(private_, { tableName: 'notifications', stamp: { clock: 9 } }), deleteOf(private_, { tableName: 'notifications', stamp: { clock: 0 } }),
      ] } }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    for (const { text } of answers) expect(text).not.toContain(`title of ${private_}`)
    expect((answers[3]!.body as PushResult).results.map(result => result.errorCode)).toEqual(Array.from({ length: 4 }, () => 'UNAUTHORIZED'))
    const { changes } = await world.pull(OWNER, world.b.workspaceId)
    expect(changes.filter(change => change.pk === private_)).toMatchObject([{ op: 'put', stamp: { clock: 1 } }])
  })
})

/**
 * The two tenants with rows in B, live and deleted, a device's cursor and a snapshot under way; besides, somebody who is
 * an owner of B and active elsewhere.
 */
async function createSyncWorld() {
  const world = await createWorld()
  const { call, meet } = world
  const { workspaceId } = world.b
  const op = putOf('row', { payload: payloads.messages('row', { text: MARKER }), stamp: { deviceId: DEVICE, clock: 5 } })
  const ops: PendingOp[] = [op, putOf(`pk-with-${MARKER}`), deleteOf('gone', { payload: { id: 'gone', note: MARKER }, stamp: { clock: 5 } })]
  const scope = { workspaceId }
  const pushed = await call<PushResult>('POST /api/sync/push', { as: OWNER, body: { scope, ops } })
  expect(pushed.body.results.map(result => result.success)).toEqual([true, true, true])
  await call('POST /api/sync/update-cursor', { as: OWNER, body: { scope, deviceId: DEVICE, version: 3 } })
  const page = await call<SnapshotResponse>('POST /api/sync/snapshot', { as: OWNER, body: { scope, pageSize: 1 } })

  const own = await meet('elsewhere')
  const invite = { email: 'elsewhere@example.org', role: 'owner' }
  const { body: { token } } = await call<{ token: string }>(`POST /api/workspaces/${workspaceId}/invites`, { as: OWNER, body: invite })
  await call('POST /api/invites/accept', { as: 'elsewhere', body: { token } })
  await call('POST /api/workspaces/active', { as: 'elsewhere', body: { id: own.workspaceId } })
  expect((await meet('elsewhere')).workspaceId).toBe(own.workspaceId)
  const pull = async (as: string, id: string) =>
    (await call<PullResponse>('POST /api/sync/pull', { as, body: { scope: { workspaceId: id }, cursor: 0, limit: 1000 } })).body
  return { ...world, op, pageToken: page.body.nextPageToken!, pull }
}

function notification(id: string, userId: string, clock = 1): PendingOp {
  const payload = payloads.notifications(id, { user_id: userId, title: `title of ${id}` })
  return putOf(id, { tableName: 'notifications', payload, stamp: { opId: randomUUID(), clock } })
}
