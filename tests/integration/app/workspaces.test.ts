/**
 * Several workspaces in one app, by the composables: the switch, offline, roles, the sign-out. Upholds P12. Seen red with
 * each of these: a store kept open after a switch, workspaces that are forgotten at a reload, a `leave` that looks at the
 * open workspace alone, a choice that outlives its user, rendered rows shown in every workspace.
 */
import { expect, it, vi } from 'vitest'
import type { PullResponse } from '../../../shared/protocol.ts'
import { countLiveListeners } from '../../../server/http/live/live.ts'
import { serveRoutes } from '../../helpers/http-server.ts'
import { type Post, posts, until } from '../client/devices.ts'
import { loadPage, openBrowser } from '../../unit/client/app-page.ts'

/** Ann's own workspace, and `count` more of hers. */
async function start(count = 1) {
  const { call, meet, origin } = await serveRoutes()
  const home = (await meet('ann')).workspaceId
  const more: string[] = []
  for (let n = 0; n < count; n++) {
    more.push((await call<{ id: string }>('POST /api/workspaces', { as: 'ann', body: { name: `List ${n}` } })).body.id)
  }
  const browser = openBrowser(origin)
  browser.user = 'ann'
  return { call, meet, browser, home, more }
}

function load(payload?: Record<string, unknown>) {
  return loadPage(({ useSyncWorkspace, useSyncedTable }) => ({ ...useSyncWorkspace(), ...useSyncedTable(posts) }), payload)
}
const makeTodo = (title: string): Post => ({ id: title, title })

it('holds one live stream, however many workspaces were opened', async () => {
  const { browser, more } = await start(8)
  const page = await load()
  for (const id of more) {
    page.open(id)
    await until(() => page.workspaceId.value === id && page.status.value.isReady && page.status.value.isComplete)
    page.put(makeTodo(id))
    await until(() => page.status.value.pending === 0 && page.status.value.failures === 0)
  }
  await until(() => page.status.value.live.mode === 'stream')
  expect(browser.requests.filter(path => path.startsWith('/api/sync/live')).length).toBeGreaterThan(1)
  await until(() => countLiveListeners() === 1)
})

it('sends what waits in a workspace that is not open any more, and closes it then', async () => {
  const { call, browser, more, home } = await start()
  const page = await load()
  await until(() => page.status.value.isComplete)
  browser.isOnline = false
  page.put(makeTodo('milk'))
  page.open(more[0]!)
  await until(() => page.workspaceId.value === more[0] && page.rows.value.length === 0)
  browser.isOnline = true
  await vi.waitFor(async () => {
    const body = { scope: { workspaceId: home }, cursor: 0 }
    expect((await call<PullResponse>('POST /api/sync/pull', { as: 'ann', body })).body.changes).toHaveLength(1)
    expect(countLiveListeners()).toBe(1)
  }, 10_000)
})

it('knows workspaces and roles after a reload without a network', async () => {
  const { browser, more } = await start()
  const page = await load()
  await until(() => page.workspaces.value.length === 2)
  expect(page.role.value).toBe('owner')
  await page.close()
  browser.isOnline = false
  const again = await load()
  expect(again.workspaces.value.map(({ id }) => id)).toContain(more[0])
  again.open(more[0]!)
  expect(again.role.value).toBe('owner')
  await again.refresh()
  expect(again.workspaces.value).toHaveLength(2)
})

it('tells the role in the workspace that is open, which is not that of the session', async () => {
  const { call, meet, browser, more } = await start()
  await meet('bob')
  const link = await call<{ token: string }>(`POST /api/workspaces/${more[0]}/invite-links`, { as: 'ann', body: { role: 'viewer' } })
  const { workspaceId: own } = await meet('bob')
  const joined = await call('POST /api/invites/accept', { as: 'bob', body: { token: link.body.token } })
  expect(joined).toMatchObject({ status: 200, body: { workspaceId: more[0], role: 'viewer' } })
  browser.user = 'bob'
  const page = await load()
  await until(() => page.workspaces.value.length === 2)
  expect([page.workspaceId.value, page.role.value]).toEqual([more[0], 'viewer'])
  page.open(own)
  expect(page.role.value).toBe('owner')
})

it('nobody signed in has no workspaces, and that is no error', async () => {
  const { browser } = await start()
  browser.user = undefined
  const page = await load()
  await page.refresh()
  expect([page.session.value, page.workspaces.value, page.role.value]).toEqual([null, [], undefined])
})

it('a sign-out counts what waits in every workspace, and leaves nothing of any', async () => {
  const { browser, more } = await start()
  const page = await load()
  await until(() => page.status.value.isComplete)
  page.open(more[0]!)
  await until(() => page.workspaceId.value === more[0] && page.status.value.isComplete)
  browser.isOnline = false
  await page.put(makeTodo('milk')).saved
  await page.close()

  const again = await load()
  await until(() => again.status.value.isReady)
  expect(again.workspaceId.value).not.toBe(more[0])
  expect(await again.leave()).toEqual({ left: false, pending: 1 })
  expect(await browser.databases()).toHaveLength(2)
  expect(await again.leave({ discards: true })).toEqual({ left: true, pending: 0 })
  expect([await browser.databases(), [...browser.kept.keys()]]).toEqual([[], []])
  expect([again.session.value, again.workspaces.value]).toEqual([null, []])
})

it('who signs in next in the same page opens a workspace of their own, and sees no row of before', async () => {
  const { meet, browser, home, more } = await start()
  const bob = await meet('bob')
  const page = await load({
    'or3-sync:session': { user: { id: (await meet('ann')).userId }, workspace: { id: home, name: 'Home' }, role: 'owner' },
    'or3-sync:rows:posts': [makeTodo('of ann')],
  })
  expect(page.rows.value).toEqual([makeTodo('of ann')])
  page.open(more[0]!)
  await vi.waitFor(() => expect(page.rows.value).toEqual([]))
  await page.leave({ discards: true })
  browser.user = 'bob'
  const seen: number[] = []
  await page.refresh()
  await until(() => (seen.push(page.rows.value.length), page.status.value.isComplete))
  expect(page.workspaceId.value).toBe(bob.workspaceId)
  expect(new Set(seen)).toEqual(new Set([0]))
})

it('a write after a switch never goes to the workspace before', async () => {
  const { more } = await start()
  const page = await load()
  await until(() => page.status.value.isComplete)
  page.open(more[0]!)
  expect(() => page.put(makeTodo('milk'))).toThrow('is not open yet')
  await until(() => page.status.value.isComplete)
  page.put(makeTodo('milk'))
  await until(() => page.rows.value.length === 1)
})

it('switches when the component that asked first is gone', async () => {
  const { more } = await start()
  const page = await load()
  const second = page.useAgain()
  await until(() => second.status.value.isComplete)
  page.leaveComponent()
  second.open(more[0]!)
  await until(() => second.workspaceId.value === more[0] && second.status.value.isComplete)
})

it('sends the headers of configureSync with every request', async () => {
  const { browser, more } = await start()
  browser.user = undefined
  const page = await loadPage(({ configureSync, useSyncWorkspace, useSyncedTable }) => {
    configureSync({ headers: async () => ({ 'x-user': 'ann' }) })
    return { ...useSyncWorkspace(), ...useSyncedTable(posts) }
  })
  await until(() => page.status.value.isComplete && page.workspaces.value.length === 2)
  await page.activate(more[0]!)
  expect(page.workspaceId.value).toBe(more[0])
})
