/**
 * No hint before its commit, and none to who may not pull (P11, T20). Each check is run on broken code too, where it
 * must find the fault: hints told before the commit, and streams that do not hear of changed rights.
 */
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createUserCaller } from '../../../server/sync/caller.ts'
import { createFeed } from '../../../server/lib/feed.ts'
import type { Commit } from '../../../server/sync/commits.ts'
import { createSyncEngine, type SyncEngine } from '../../../server/sync/engine.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { putOf, workspaceId } from '../../helpers/sync.ts'
import { serveStreams, type ServeOptions } from './serve-streams.ts'

/** An engine that tells of a push from within its transaction. */
function tellEarly(engine: SyncEngine): SyncEngine {
  const early = createFeed<Commit>('commit')
  const { database } = engine
  const broken = createSyncEngine({
    ...database,
    write: job => database.write(async (tx) => {
      const result = await job(tx)
      const { rows } = await tx.execute({ sql: 'select head from logs where workspace_id = ?', args: [workspaceId] })
      const head = rows[0]?.['head']
      if (typeof head === 'number') early.tell({ workspaceId, head })
      return result
    }),
  })
  return { ...broken, onCommit: early.listen }
}

/** How many hints came before another connection could read their head in the file, and how many in all. */
async function countEarlyHints(breakEngine: (engine: SyncEngine) => SyncEngine) {
  const database = await openTestDatabase()
  const engine = breakEngine(createSyncEngine(database))
  const reader = new DatabaseSync(database.path, { readOnly: true })
  const select = reader.prepare('select head from logs where workspace_id = ?')
  let [early, all] = [0, 0]
  engine.onCommit(({ head }) => {
    all++
    if (Number((select.get(workspaceId) as { head: number } | undefined)?.head ?? 0) < head) early++
  }, workspaceId)
  const push = (user: string, round: number) => {
    const ops = Array.from({ length: 1 + round % 5 }, (_, index) => putOf(`${user}-${round}-${index}`))
    return engine.push(createUserCaller(workspaceId, user), { scope: { workspaceId }, ops })
  }
  for (let round = 0; round < 10; round++) await Promise.all(['ann', 'bob', 'cyd'].map(user => push(user, round)))
  reader.close()
  return { early, all }
}

// Seen red where `push` told of the head within its transaction.
it('tells of a push when another connection can read it, and not before', async () => {
  expect(await countEarlyHints(engine => engine)).toEqual({ early: 0, all: 30 })
  const control = await countEarlyHints(tellEarly)
  expect(control.early).toBeGreaterThan(0)
})

/** How many hints reach a member after the end of the membership, while others push. */
async function countHintsAfterTheEnd(options: ServeOptions) {
  const { open, push, forbid, rightsChanges, database, engine } = await serveStreams(options)
  const { stream } = await open('bob')
  let isOver = false
  const pushing = (async () => {
    while (!isOver) await push()
  })()
  await stream.next(({ data }) => (data.head ?? 0) > 3)
  await database.write(async (tx) => {
    await tx.execute('select 1')
    forbid()
  })
  const endedAt = performance.now()
  rightsChanges.tell({ workspaceId, userId: 'bob' })
  const head = await engine.readHead(createUserCaller(workspaceId, 'ann'))
  await sleep(500)
  isOver = true
  await pushing
  const after = stream.events.filter(({ data }) => data.head !== undefined && data.head > head)
  return { hints: after.length, isClosed: stream.closedAt !== undefined && stream.closedAt - endedAt < 1_000 }
}

// Seen red where a stream did not hear of doubts (`onDoubt`), as the next one.
it('tells nothing more to a member whose rights have ended, and closes', async () => {
  expect(await countHintsAfterTheEnd({})).toEqual({ hints: 0, isClosed: true })
  const control = await countHintsAfterTheEnd({ onRightsChange: () => () => {} })
  expect(control.isClosed).toBe(false)
  expect(control.hints).toBeGreaterThan(0)
})

it('tells nothing of a push that was committed together with the end of the membership', async () => {
  const { open, engine, forbid, rightsChanges, database } = await serveStreams()
  const { stream } = await open('bob')
  // In one group commit: whichever of the two settles first.
  for (let round = 0; round < 2; round++) {
    const ops = [putOf(`row-${round}`)]
    const pushing = engine.push(createUserCaller(workspaceId, 'ann'), { scope: { workspaceId }, ops })
    const ending = database.write(async tx => void await tx.execute('select 1')).then(() => {
      forbid()
      rightsChanges.tell({ workspaceId, userId: 'bob' })
    })
    await Promise.all([pushing, ending])
  }
  await stream.closed(1_000)
  expect(stream.head).toBe(0)
})
