/** P7 across servers: what is deferred lives in the database. Seen red: a release without a time, and one for every user. */
import { expect, it } from 'vitest'
import { eq } from 'drizzle-orm'
import { deferredDevices, deviceCursors, logs } from '../../../server/database/schema/index.ts'
import { readRows } from '../../../server/database/statement.ts'
import type { SyncDatabase } from '../../../server/database/types.ts'
import type { UserCaller } from '../../../server/sync/caller.ts'
import { deferDevices, releaseDevices } from '../../../server/sync/deferred-devices.ts'
import { selectDeferred, toDeferred } from '../../../server/sync/push/reads.ts'
import type { ValidOp } from '../../../server/sync/push/validate.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { startClock } from '../../helpers/sync.ts'

const userOf = (userId: string): UserCaller => ({ kind: 'user', workspaceId: 'w', userId })
const ann = userOf('ann')
const ben = userOf('ben')

/** A workspace with the horizon at 5 and the devices d1 and d2 behind it. */
async function openWorkspace(): Promise<SyncDatabase> {
  const database = await openTestDatabase()
  await database.write(async (tx) => {
    await tx.insert(logs).values({ workspaceId: 'w', head: 9, horizon: 5 })
    await tx.insert(deviceCursors).values(['d1', 'd2'].map(deviceId => ({ workspaceId: 'w', deviceId, userId: 'ann', cursor: 1, updatedAt: 1 })))
  })
  return database
}

async function findDeferred(database: SyncDatabase, devices: string[], caller = ann): Promise<string[]> {
  const ops = devices.map(deviceId => ({ deviceId }) as ValidOp)
  return [...toDeferred(ops, await readRows(database.read.$client, selectDeferred(caller, ops)))]
}

it('defers a device until a pull of its user was told to take a snapshot', async () => {
  const database = await openWorkspace()
  const defer = (horizon: number) => database.write(tx => tx.execute(deferDevices(ann, new Set([' d1 ']), horizon, database.now())))
  expect(await findDeferred(database, ['d1', 'd2', 'new'])).toEqual(['d1', 'd2'])
  await releaseDevices(database, ann, true)
  expect(await findDeferred(database, ['d1'])).toEqual(['d1'])
  await defer(5)
  await releaseDevices(database, ben, true)
  await releaseDevices(database, { ...ann, workspaceId: 'v' }, true)
  expect(await findDeferred(database, ['d1'])).toEqual(['d1'])
  await releaseDevices(database, ann, true)
  expect(await findDeferred(database, ['d1', 'd2', ' d1'])).toEqual(['d2'])
  // Deferred once more for the same horizon it stays released; behind a later one it is deferred anew.
  await defer(5)
  expect(await findDeferred(database, ['d1'])).toEqual([])
  await database.write(tx => tx.update(logs).set({ horizon: 6 }).where(eq(logs.workspaceId, 'w')))
  expect(await findDeferred(database, ['d1'])).toEqual(['d1'])
})

it('releases a device whose user pulls ten seconds later, reported cursor or not', async () => {
  const clock = startClock()
  const database = await openWorkspace()
  const defer = () => database.write(tx => tx.execute(deferDevices(ann, new Set(['d1']), 5, database.now())))
  await defer()
  clock.advance(9)
  await releaseDevices(database, ann, false)
  await defer()
  expect(await findDeferred(database, ['d1'])).toEqual(['d1'])
  clock.advance(1)
  await releaseDevices(database, ann, false)
  expect(await findDeferred(database, ['d1'])).toEqual([])
  expect(await database.read.select().from(deferredDevices)).toHaveLength(1)
})
