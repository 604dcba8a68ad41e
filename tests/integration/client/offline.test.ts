/**
 * T21: a device that was away for a week comes back with 5,000 ops, and dies again and again at a step of its storage,
 * before it or after it, while it catches up. In the end it has the rows of the other devices. Upholds P12.
 */
import { expect, it } from 'vitest'
import { startClock } from '../../helpers/sync.ts'
import { timeoutMs } from '../../property/scale.ts'
import { createBrowser, fingerprint, openLeading, posts, until } from './devices.ts'
import { openMortalTab } from './mortal-tab.ts'
import { startServer } from './server.ts'

const week = 7 * 24 * 60 * 60
const count = 5_000
const keyOf = (at: number) => `p${at}`

// Seen red with a cursor stored before the rows of its page, and with a snapshot staged among the rows that count.
it.each([
  ['pages', false], ['a snapshot', true],
])('a week offline, 5,000 ops and crashes while it catches up by %s', { timeout: timeoutMs(200) }, async (_by, isCleaned) => {
  const clock = startClock()
  const server = await startServer()
  const profile = createBrowser()
  const away = await openLeading(server.transportOf(), { profile })
  const other = await openLeading(server.transportOf())
  for (let at = 0; at < 1_500; at++) other.table(posts).put({ id: keyOf(at), title: 'before' })
  for (const store of [other, away]) await store.sync()

  let saved: Promise<boolean> | undefined
  for (let at = 500; at < 500 + count; at++) {
    saved = away.table(posts).put({ id: keyOf(at), title: 'offline' }).saved
    if (at % 1_000 === 0) clock.advance(60)
  }
  expect(await saved).toBe(true)
  await away.close()

  // Meanwhile another one changes what it has changed, and what it has not.
  for (let at = 0; at < 100; at++) other.table(posts).remove(keyOf(at))
  for (let at = 100; at < 600; at++) other.table(posts).patch(keyOf(at), { title: 'online' })
  await other.sync()
  clock.advance(week)
  if (isCleaned) await server.cleanUp()

  let lives = 0
  let deaths = 0
  for (let isDone = false; !isDone; lives++) {
    const tab = await openMortalTab({ transport: server.transportOf(), profile })
    await until(() => tab!.store.status.isLeader)
    // A life of a few steps is too short for a whole snapshot, which begins anew each time.
    tab!.dieAt(lives % 9, lives % 2 === 0)
    await Promise.race([tab!.store.sync(), until(() => tab!.isDead, 30_000)])
    isDone = !tab!.isDead && tab!.store.status.pending === 0
    if (tab!.isDead) deaths++
    tab!.kill()
  }
  expect(deaths).toBeGreaterThan(20)

  const again = await openLeading(server.transportOf(), { profile })
  const fresh = await openLeading(server.transportOf())
  for (const store of [again, other, fresh]) expect(await store.sync()).toMatchObject({ ok: true })
  expect(again.status).toMatchObject({ pending: 0, isDurable: true })
  expect(again.failures.filter(({ kind }) => kind === 'refused')).toEqual([])
  expect(again.table(posts).list().rows.length).toBeGreaterThanOrEqual(count)
  expect(again.table(posts).get(keyOf(5_000))?.title).toBe('offline')
  // Who deleted them remembers tombstones that the server has forgotten.
  const prints = [again, other, fresh].map(store => (
    fingerprint({ entries: () => [...store.entries()].filter(({ row }) => row) })
  ))
  expect(new Set(prints).size).toBe(1)
  // Each op was taken once, however often it was sent.
  expect(fresh.status.head).toBe(1_500 + 600 + count)
})
