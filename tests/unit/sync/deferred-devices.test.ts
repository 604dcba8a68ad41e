/** Seen red: a release without a time, and one for every user. */
import { expect, it, vi } from 'vitest'
import type { UserCaller } from '../../../server/sync/caller.ts'
import { createDeferredDevices } from '../../../server/sync/deferred-devices.ts'

const userOf = (userId: string): UserCaller => ({ kind: 'user', workspaceId: 'w', userId })
const ann = userOf('ann')
const ben = userOf('ben')

it('defers a device until a pull of its user was told to take a snapshot', () => {
  const deferred = createDeferredDevices()
  expect([...deferred.find(ann, ['d1', 'd2'], 5)]).toEqual(['d1', 'd2'])
  deferred.release(ann, true)
  expect([...deferred.find(ann, ['d1'], 5)]).toEqual(['d1'])
  deferred.add(ann, new Set(['d1']), 5)
  deferred.release(ben, true)
  deferred.release({ ...ann, workspaceId: 'v' }, true)
  expect([...deferred.find(ann, ['d1'], 5)]).toEqual(['d1'])
  deferred.release(ann, true)
  expect([...deferred.find(ann, ['d1', 'd2'], 5)]).toEqual(['d2'])
  expect([...deferred.find(ann, ['d1'], 6)]).toEqual(['d1'])
})

it('releases a device whose user pulls ten seconds later, reported cursor or not', () => {
  const deferred = createDeferredDevices()
  const now = vi.spyOn(performance, 'now').mockReturnValue(0)
  deferred.add(ann, new Set(['d1']), 5)
  now.mockReturnValue(9_999)
  deferred.release(ann, false)
  expect(deferred.find(ann, ['d1'], 5).size).toBe(1)
  deferred.add(ann, new Set(['d1']), 5)
  now.mockReturnValue(10_000)
  deferred.release(ann, false)
  expect(deferred.find(ann, ['d1'], 5).size).toBe(0)
  now.mockRestore()
})

it('remembers a bounded number', () => {
  const deferred = createDeferredDevices()
  for (let index = 0; index < 2_000; index++) deferred.add(userOf(`u${index}`), new Set(Array.from({ length: 60 }, (_, device) => `d${device}`)), 1)
  for (const userId of ['u0', 'u1999']) deferred.release(userOf(userId), true)
  expect(deferred.find(userOf('u0'), ['d59'], 1).size).toBe(1)
  expect([...deferred.find(userOf('u1999'), ['d9', 'd10', 'd59'], 1)]).toEqual(['d9'])
})
