/** A push that meets what the log knows is tried again inside its own turn: nothing comes between, not even the end. */
import { expect, it, vi } from 'vitest'
import { createUserCaller } from '../../../server/sync/caller.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { putOf, scope } from '../../helpers/sync.ts'
import { engineOf } from '../../helpers/engine.ts'

// Seen red with the second try as a write of its own.
it('is answered though the server stops, and takes no turn of another', async () => {
  const database = await openTestDatabase()
  const engine = engineOf(database)
  const caller = createUserCaller(scope.workspaceId, 'user-1')
  const known = putOf('a')
  await engine.push(caller, { scope, ops: [known] })
  const { jobs } = database.activity
  const gate = Promise.withResolvers<undefined>()
  const first = database.write(() => gate.promise)
  const repeats = Array.from({ length: 3 }, (_, index) => engine.push(caller, { scope, ops: [known, putOf(`b${index}`), putOf('a', { stamp: { clock: 1 } })] }))
  await vi.waitUntil(() => database.activity.queued === 4)
  const closing = database.close()
  gate.resolve(undefined)
  await first
  const answers = await Promise.all(repeats)
  expect(answers.map(({ results }) => results.map(({ success, serverVersion }) => [success, serverVersion]))).toEqual([
    [[true, 1], [true, 2], [true, 3]], [[true, 1], [true, 4], [true, 5]], [[true, 1], [true, 6], [true, 7]],
  ])
  expect(database.activity.jobs - jobs).toBe(4)
  await closing
})
