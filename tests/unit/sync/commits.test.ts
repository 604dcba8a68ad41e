import { expect, it } from 'vitest'
import { createCommitFeed } from '../../../server/sync/commits.ts'

it('tells each listener of its own workspace, and says which workspaces have one', () => {
  const feed = createCommitFeed()
  const heard: string[] = []
  const listening: string[][] = []
  feed.onListening(ids => listening.push([...ids]))
  const stopAll = feed.listen(({ workspaceId, head }) => heard.push(`all ${workspaceId} ${head}`))
  const stopOne = feed.listen(({ head }) => heard.push(`a ${head}`), 'a')
  const stopOther = feed.listen(({ head }) => heard.push(`a again ${head}`), 'a')
  feed.listen(() => {
    throw new Error('harms nobody')
  }, 'b')
  feed.tell({ workspaceId: 'a', head: 1 })
  stopOne()
  stopOne()
  feed.tell({ workspaceId: 'a', head: 2 })
  stopOther()
  stopAll()
  feed.tell({ workspaceId: 'a', head: 3 })
  feed.tell({ workspaceId: 'b', head: 1 })
  expect(heard).toEqual(['all a 1', 'a 1', 'a again 1', 'all a 2', 'a again 2'])
  expect(listening).toEqual([['a'], ['a', 'b'], ['b']])
  expect([...feed.workspaceIds]).toEqual(['b'])
})
