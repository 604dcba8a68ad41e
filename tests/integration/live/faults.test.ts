/**
 * Hints that are lost and streams that are cut: nothing is missed, and all devices are equal soon after (P11, T20). Run
 * on broken code too: a hint that moves the cursor loses changes, and the check finds it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createHttpTransport, type Transport } from '../../../client/index.ts'
import { createChance } from '../../helpers/chance.ts'
import { posts, serveDevices, until } from './devices.ts'

const runMs = 9_000

/** How many rows a device lacks at the end, and how long it took until none lacked them. */
async function runFaults(breakTransport: (transport: Transport) => Transport) {
  const roll = createChance(7)
  const chance = () => roll(1_000_000) / 1_000_000
  const { origin, openDevice, openProxy } = await serveDevices()
  const open = async () => {
    const proxy = await openProxy({ loses: 0.3, cutsAfterMs: () => 1_000 + 3_000 * chance() })
    const transport = createHttpTransport({ baseUrl: proxy.origin, headers: { 'x-user': 'ann' } })
    // Soon back: a hint that was lost last is made up for by the next stream, at most 4 s and a back-off of 1 s later.
    const random = () => chance() / 10
    return { proxy, store: await openDevice(proxy.origin, { random, transport: breakTransport(transport) }) }
  }
  const writer = await openDevice(origin, { isLive: false })
  const readers = await Promise.all([open(), open(), open()])
  const ids: string[] = []
  const until_ = performance.now() + runMs
  while (performance.now() < until_) {
    const id = `row-${ids.length}`
    ids.push(id)
    writer.table(posts).put({ id, title: 'x' })
    if (chance() < 0.3) readers[0]!.store.table(posts).put({ id: `own-${ids.length}`, title: 'y' })
    await sleep(20 + 150 * chance())
  }
  await until(() => writer.status.pending === 0, 10_000)
  const missing = () => readers.map(({ store }) => ids.filter(id => !store.table(posts).get(id)).length)
  const convergedMs = await until(() => missing().every(count => count === 0), 5_000).catch(() => undefined)
  return { missing: missing(), convergedMs, cuts: readers.reduce((sum, { proxy }) => sum + proxy.streams, 0) }
}

/** Asks from the head that a hint has named, as if the hint had brought what lies before it. */
function skipToHint(transport: Transport): Transport {
  let heard = 0
  return {
    ...transport,
    async openLive(workspaceId, client, signal) {
      const bytes = await transport.openLive!(workspaceId, client, signal)
      return bytes.pipeThrough(new TransformStream({
        transform(chunk, controller) {
          const head = /"head":(\d+)/.exec(new TextDecoder().decode(chunk))?.[1]
          heard = Math.max(heard, Number(head ?? 0))
          controller.enqueue(chunk)
        },
      }))
    },
    pull: (request, signal) => transport.pull({ ...request, cursor: Math.max(request.cursor, heard) }, signal),
  }
}

// Seen red where the loop took a hint's head for its cursor (`requestPull`).
it('misses nothing, and is equal within five seconds', async () => {
  const figures = await runFaults(transport => transport)
  expect(figures.missing).toEqual([0, 0, 0])
  expect(figures.convergedMs).toBeLessThan(5_000)
  expect(figures.cuts).toBeGreaterThan(5)
}, 60_000)

it('finds the loss where a hint moves the cursor', async () => {
  const { missing } = await runFaults(skipToHint)
  expect(missing.reduce((sum, count) => sum + count)).toBeGreaterThan(0)
}, 60_000)
