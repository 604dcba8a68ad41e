/** The registry of those who wait for hints: when it tells them. */
import { expect, it } from 'vitest'
import { createLiveListeners } from '../../../server/http/live/listeners.ts'
import type { CommitListener } from '../../../server/sync/commits.ts'

// Seen red with hints in the next turn: a push waited for the hints of its own commit to 200 listeners, 4.6 ms.
it('tells of a commit once its pushes are answered, and once for all of a turn', async () => {
  const told: string[] = []
  let commit: CommitListener
  const listeners = createLiveListeners({
    onCommit(listener) {
      commit = listener
      return () => {}
    },
    onRightsChange: () => () => {},
  })
  const remove = listeners.add({
    userId: 'ann', workspaceId: 'w1', onHead: head => void told.push(`head ${head}`), onDoubt() {}, close() {}, onTick() {},
  })
  commit!({ workspaceId: 'w1', head: 7 })
  commit!({ workspaceId: 'w1', head: 8 })
  // As h3 does once the promise of a handler is settled.
  await Promise.resolve()
  setImmediate(() => told.push('answer'))
  while (told.length < 2) await new Promise(resolve => setTimeout(resolve, 1))
  expect(told).toEqual(['answer', 'head 8'])
  remove()
})
