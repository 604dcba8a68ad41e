/** What every server with the layer in it must do, however the layer came into it: declared once, run for each. */
import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import type { RunningServer } from '../helpers/server.ts'
import { putOf } from '../helpers/sync.ts'
import { createClient } from './client.ts'

export interface Served {
  server(): RunningServer
  /** kill -9, and a new process on the same file. */
  crash(): Promise<void>
  /** The header that carries a name, which signs in. */
  header: string
}

export function itServesSync({ server, crash, header }: Served): void {
  const as = (name?: string) => createClient({ fetch: (path, init) => server().fetch(path, init) }, header, name)
  const somebody = () => as(`user-${randomUUID()}`)

  it('answers 401 to whom nobody knows', async () => {
    const response = await as().request('/api/sync/pull', { body: { scope: { workspaceId: 'any' }, cursor: 0, limit: 10 } })
    expect(response.status).toBe(401)
  })

  it('gives three ops the versions 1, 2 and 3, and reads four back in two pages of two', async () => {
    const ada = somebody()
    const workspaceId = await ada.workspaceId()
    const pushed = await ada.push(workspaceId, ['a', 'b', 'c'].map(pk => putOf(pk)))
    expect(pushed.results.map(result => [result.success, result.serverVersion])).toEqual([[true, 1], [true, 2], [true, 3]])
    await ada.push(workspaceId, [putOf('d')])

    const first = await ada.pull(workspaceId, 0, 2)
    expect(first).toMatchObject({ hasMore: true, nextCursor: 2, changes: [{ pk: 'a', serverVersion: 1 }, { pk: 'b', serverVersion: 2 }] })
    const second = await ada.pull(workspaceId, first.nextCursor, 2)
    expect(second).toMatchObject({ hasMore: false, nextCursor: 4, changes: [{ pk: 'c', serverVersion: 3 }, { pk: 'd', serverVersion: 4 }] })
  })

  it('answers 403 to a stranger, who reads and changes nothing', async () => {
    const ada = somebody()
    const eve = somebody()
    const workspaceId = await ada.workspaceId()
    await eve.workspaceId()
    for (const [path, rest] of [['push', { ops: [putOf('planted')] }], ['pull', { cursor: 0, limit: 10 }]] as const) {
      const response = await eve.request(`/api/sync/${path}`, { body: { scope: { workspaceId }, ...rest } })
      expect(response.status).toBe(403)
    }
    expect((await ada.pull(workspaceId, 0)).changes).toEqual([])
  })

  it('lets a workspace be made, renamed, entered and removed', async () => {
    const ada = somebody()
    const before = await ada.workspaceId()
    const made = await (await ada.request('/api/workspaces', { body: { name: 'Second' } })).json() as { id: string }
    expect((await ada.request(`/api/workspaces/${made.id}`, { method: 'PATCH', body: { name: 'Renamed' } })).status).toBe(200)
    expect((await ada.request('/api/workspaces/active', { body: { id: made.id } })).status).toBe(200)
    expect(await ada.workspaceId()).toBe(made.id)
    const { workspaces } = await (await ada.request('/api/workspaces')).json() as { workspaces: unknown[] }
    expect(workspaces).toContainEqual(expect.objectContaining({ id: made.id, name: 'Renamed', role: 'owner', isActive: true }))
    expect((await ada.request(`/api/workspaces/${made.id}`, { method: 'DELETE' })).status).toBe(200)
    expect(await ada.workspaceId()).toBe(before)
  })

  it('has every acknowledged change after kill -9 and a restart', async () => {
    const ada = somebody()
    const workspaceId = await ada.workspaceId()
    const acknowledged: string[] = []
    const pushing = async (lane: number) => {
      for (let n = 0; ; n++) {
        const op = putOf(`${lane}-${n}`)
        const { results } = await ada.push(workspaceId, [op])
        if (results[0]?.success) acknowledged.push(op.pk)
      }
    }
    const lanes = [1, 2, 3, 4].map(lane => pushing(lane).catch(() => {}))
    while (acknowledged.length < 40) await new Promise(resolve => setTimeout(resolve, 5))
    await crash()
    await Promise.all(lanes)

    const { changes } = await ada.pull(workspaceId, 0, 1000)
    expect(changes.map(change => change.pk)).toEqual(expect.arrayContaining(acknowledged))
    expect(changes.map(change => change.serverVersion)).toEqual(changes.map((_, index) => index + 1))
  })
}
