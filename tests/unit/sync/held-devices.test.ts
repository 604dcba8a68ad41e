/** Seen red: a release without a time, and one for every user. */
import { expect, it, vi } from 'vitest'
import type { SyncDatabase } from '../../../server/db/open.ts'
import { findHeld, hold, release } from '../../../server/sync/held-devices.ts'

const ann = { workspaceId: 'w', userId: 'ann' }
const ben = { workspaceId: 'w', userId: 'ben' }
/** Holds belong to a database; nothing of it is used. */
const makeDatabase = () => ({}) as SyncDatabase

it('holds a device until a pull of its user was told to take a snapshot', () => {
  const database = makeDatabase()
  expect([...findHeld(database, ann, ['d1', 'd2'], 5)]).toEqual(['d1', 'd2'])
  release(database, ann, true)
  expect([...findHeld(database, ann, ['d1'], 5)]).toEqual(['d1'])
  hold(database, ann, new Set(['d1']), 5)
  release(database, ben, true)
  release(database, { ...ann, workspaceId: 'v' }, true)
  expect([...findHeld(database, ann, ['d1'], 5)]).toEqual(['d1'])
  release(database, ann, true)
  expect([...findHeld(database, ann, ['d1', 'd2'], 5)]).toEqual(['d2'])
  expect([...findHeld(database, ann, ['d1'], 6)]).toEqual(['d1'])
})

it('lets a device go whose user pulls ten seconds later: nobody is stuck for want of a reported cursor', () => {
  const database = makeDatabase()
  const now = vi.spyOn(performance, 'now').mockReturnValue(0)
  hold(database, ann, new Set(['d1']), 5)
  now.mockReturnValue(9_999)
  release(database, ann, false)
  expect(findHeld(database, ann, ['d1'], 5).size).toBe(1)
  hold(database, ann, new Set(['d1']), 5)
  now.mockReturnValue(10_000)
  release(database, ann, false)
  expect(findHeld(database, ann, ['d1'], 5).size).toBe(0)
  now.mockRestore()
})

it('remembers a bounded number', () => {
  const database = makeDatabase()
  for (let index = 0; index < 2_000; index++) hold(database, { workspaceId: 'w', userId: `u${index}` }, new Set(Array.from({ length: 60 }, (_, device) => `d${device}`)), 1)
  for (const userId of ['u0', 'u1999']) release(database, { workspaceId: 'w', userId }, true)
  expect(findHeld(database, { workspaceId: 'w', userId: 'u0' }, ['d59'], 1).size).toBe(1)
  expect([...findHeld(database, { workspaceId: 'w', userId: 'u1999' }, ['d9', 'd10', 'd59'], 1)]).toEqual(['d9'])
})
