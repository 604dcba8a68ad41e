/** A connection that is dead without a word, as behind a router that has forgotten it. Promise P11. */
import { expect, it } from 'vitest'
import { has, posts, serveDevices, until } from './devices.ts'

// Seen red with a limit of 40 s on silence.
it('is noticed within thirty seconds, and what was missed is there', async () => {
  const { openDevice, openProxy } = await serveDevices()
  const proxy = await openProxy()
  const [a, b] = [await openDevice(), await openDevice(proxy.origin, { random: () => 0.9 })]
  await until(() => b.status.live.mode === 'stream' && b.status.isComplete)
  proxy.habits.isSilent = true
  a.table(posts).put({ id: 'row', title: 'x' })
  await until(has(b, 'row'), 30_000)
  expect(b.status.live.mode).toBe('polling')
  proxy.habits.isSilent = false
  await until(() => b.status.live.mode === 'stream', 15_000)
}, 60_000)
