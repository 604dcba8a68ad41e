/** The sync loop: receipts, refusals, conflicts, waits, ended sessions, hints; what a user can do about failures. */
import { describe, expect, it } from 'vitest'
import { type Transport, TransportError } from '../../../client/index.ts'
import type { PushResultItem } from '../../../shared/protocol.ts'
import { fingerprint, openLeading, posts, until } from './devices.ts'
import { loseConnection, startServer, transportByFetch } from './server.ts'

/** Answers receipts as `receipt` says, and lets the rest through. */
function withReceipts(
  transport: Transport, receipt: (opId: string) => Omit<PushResultItem, 'opId'> | undefined,
): Transport {
  return {
    ...transport,
    async push(batch) {
      const own = batch.ops.flatMap(({ stamp: { opId } }) => {
        const made = receipt(opId)
        return made ? [{ opId, ...made }] : []
      })
      const left = batch.ops.filter(({ stamp }) => !own.some(({ opId }) => opId === stamp.opId))
      const answer = left.length > 0 ? await transport.push({ ...batch, ops: left }) : { results: [], serverVersion: 0 }
      return { ...answer, results: [...answer.results, ...own] }
    },
  }
}

describe('a refused write', () => {
  it('keeps its text and reason, holds nobody back, and can be written again or given up', async () => {
    const server = await startServer()
    let refuses = true
    const transport = withReceipts(server.transportOf(), () =>
      refuses ? { success: false, errorCode: 'VALIDATION_ERROR', error: 'title: too long' } : undefined)
    const store = await openLeading(transport)
    store.table(posts).put({ id: 'p1', title: 'much too long' })
    store.table(posts).put({ id: 'p2', title: 'also' })
    expect(await store.sync()).toMatchObject({ ok: true, refused: 2 })
    expect(store.status).toMatchObject({ pending: 0, failures: 2 })
    expect(store.table(posts).get('p1')).toBeUndefined()
    expect(store.failures[0]).toMatchObject({
      kind: 'refused', table: 'posts', pk: 'p1', code: 'VALIDATION_ERROR', message: 'title: too long',
      row: { title: 'much too long' },
    })
    refuses = false
    await store.failures[0]!.retry()
    await store.failures.find(({ pk }) => pk === 'p2')!.discard()
    expect(await store.sync()).toMatchObject({ pushed: 1 })
    expect(store.failures).toEqual([])
    expect(store.table(posts).get('p1')?.title).toBe('much too long')
  })

  it('of the whole batch is taken apart until the one bad op is found', async () => {
    const server = await startServer()
    const transport = server.transportOf()
    const store = await openLeading({ ...transport, async push(batch) {
      if (batch.ops.some(({ pk }) => pk === 'p3')) throw new TransportError(400, 'Invalid payload for posts: title')
      return transport.push(batch)
    } })
    for (let at = 0; at < 7; at++) store.table(posts).put({ id: `p${at}`, title: 'x' })
    expect(await store.sync()).toMatchObject({ ok: true, pushed: 6, refused: 1 })
    expect(store.failures).toMatchObject([{ pk: 'p3', code: 'VALIDATION_ERROR' }])
  })

  it('for now stays in the outbox, and is pushed again when it is due', async () => {
    const server = await startServer()
    let now = 1_800_000_000_000
    let holds = true
    const transport = withReceipts(server.transportOf(), () =>
      holds ? { success: false, errorCode: 'RATE_LIMITED', error: 'Retry after 2s' } : undefined)
    const store = await openLeading(transport, { now: () => now })
    store.table(posts).put({ id: 'p1', title: 'held' })
    expect(await store.sync()).toMatchObject({ ok: true, pushed: 0, refused: 0 })
    holds = false
    expect(await store.sync()).toMatchObject({ pushed: 0 })
    now += 2_001
    expect(await store.sync()).toMatchObject({ pushed: 1 })
  })
})

describe('a conflict', () => {
  it('keeps the text that lost on its own device, until the user decides', async () => {
    const server = await startServer()
    const [a, b] = [await openLeading(server.transportOf()), await openLeading(server.transportOf())]
    a.table(posts).put({ id: 'p1', title: 'base' })
    for (const store of [a, b]) await store.sync()
    a.table(posts).patch('p1', { title: 'of a' })
    await new Promise(resolve => setTimeout(resolve, 5))
    b.table(posts).patch('p1', { title: 'of b' })
    const seen: string[] = []
    for (const store of [a, b]) {
      store.onConflict(({ winner, loser, decidedBy }) => {
        seen.push(`${winner.row?.['title']} > ${loser.row?.['title']} ${decidedBy}`)
      })
    }
    for (const store of [b, a, b]) await store.sync()
    expect([a, b].map(store => store.table(posts).get('p1')?.title)).toEqual(['of b', 'of b'])
    expect(a.failures).toMatchObject([{ kind: 'lost', row: { title: 'of a' }, winner: { row: { title: 'of b' } } }])
    expect(b.failures).toEqual([])
    expect(seen).toEqual(['of b > of a hlc', 'of b > of a hlc'])
    await a.failures[0]!.retry()
    for (const store of [a, b]) await store.sync()
    expect(b.table(posts).get('p1')?.title).toBe('of a')
    expect(a.failures).toEqual([])
    expect(fingerprint(a)).toBe(fingerprint(b))
  })
})

describe('an answer that gets lost', () => {
  it('costs nothing: the same op is sent again and counts once', async () => {
    const server = await startServer()
    let loses = true
    const after = (route: string) => loses && route === 'push' ? loseConnection() : undefined
    const store = await openLeading(server.transportOf('user-1', { after }))
    store.table(posts).put({ id: 'p1', title: 'once' })
    expect(await store.sync()).toMatchObject({ ok: false, error: { status: 0 } })
    expect(store.status).toMatchObject({ pending: 1, isOnline: false })
    loses = false
    expect(await store.sync()).toMatchObject({ ok: true, pushed: 1 })
    expect(store.status).toMatchObject({ head: 1, isOnline: true, pending: 0 })
  })

  it('settles by the receipt, where no pull ever shows the op', async () => {
    const server = await startServer()
    const transport = server.transportOf()
    const store = await openLeading({
      ...transport, pull: async request => ({ ...await transport.pull(request), changes: [] }),
    })
    store.table(posts).put({ id: 'p1', title: 'once' })
    await store.sync()
    expect(store.status.pending).toBe(0)
    expect(store.table(posts).get('p1')?.title).toBe('once')
    expect(store.table(posts).isPending('p1')).toBe(false)
  })
})

describe('the loop', () => {
  it('waits as long as a server asks, and says until when', async () => {
    let calls = 0
    const store = await openLeading(transportByFetch(() => {
      calls++
      return Response.json({ message: 'Too many' }, { status: 429, headers: { 'retry-after': '7' } })
    }), { isAutomatic: true, random: () => 0 })
    await until(() => store.status.error !== undefined)
    store.table(posts).put({ id: 'p1', title: 'x' })
    store.requestPull()
    await new Promise(resolve => setTimeout(resolve, 150))
    expect(calls).toBe(1)
    const { error } = store.status
    expect(error).toMatchObject({ status: 429, message: 'Too many' })
    expect(error!.retryAt! - Date.now()).toBeGreaterThan(6_000)
  })

  it('waits longer after each failure, with jitter', async () => {
    const moments: number[] = []
    const store = await openLeading(transportByFetch(() => {
      moments.push(performance.now())
      throw new TypeError('fetch failed')
    }), { isAutomatic: true, random: () => 0 })
    await until(() => moments.length === 3, 5_000)
    expect(moments[1]! - moments[0]!).toBeGreaterThan(450)
    expect(moments[2]! - moments[1]!).toBeGreaterThan(950)
    expect(store.status.error).toMatchObject({ status: 0, code: 'NETWORK_ERROR' })
  })

  it.each([
    [401, 'unauthenticated', 'UNAUTHENTICATED'], [403, 'forbidden', 'WORKSPACE_NOT_ACTIVE'],
  ])('stops at %i, says so, and goes on when it is told to', async (status, stopped, code) => {
    const server = await startServer()
    let refuses = true
    let asked = 0
    const store = await openLeading(server.transportOf('user-1', { before: () => {
      asked++
      if (refuses) throw new TransportError(status, 'No.', { code })
    } }), { isAutomatic: true, paceMs: 20, random: () => 0 })
    await until(() => store.status.stopped !== undefined)
    expect(store.status).toMatchObject({ stopped, error: { code, retryAt: undefined } })
    const saved = await store.table(posts).put({ id: 'p1', title: 'kept' }).saved
    // The first back-off would end after half a second.
    await new Promise(resolve => setTimeout(resolve, 900))
    expect([saved, asked, store.status.pending]).toEqual([true, 1, 1])
    refuses = false
    store.resume()
    await until(() => store.status.pending === 0)
    expect(store.status.stopped).toBeUndefined()
  })

  it('pushes soon after a write without another pull, and finds what others wrote at its pace', async () => {
    const server = await startServer()
    const store = await openLeading(server.transportOf(), { isAutomatic: true, paceMs: 60_000 })
    await until(() => store.status.lastSyncAt !== undefined)
    const { pull } = server.calls
    for (let at = 0; at < 3; at++) {
      store.table(posts).put({ id: `p${at}`, title: 'x' })
      await until(() => store.status.pending === 0)
    }
    expect(server.calls.pull).toBe(pull)
    const other = await openLeading(server.transportOf())
    other.table(posts).put({ id: 'p9', title: 'elsewhere' })
    await other.sync()
    store.setPace(10)
    await until(() => store.table(posts).get('p9') !== undefined)
  })

  it('remembers a hint that comes during a pull until a pull has passed it, and moves no cursor by it', async () => {
    const server = await startServer()
    const other = await openLeading(server.transportOf())
    await other.sync()
    let hold: (() => void) | undefined
    const transport = server.transportOf('user-1', { after: async (route) => {
      if (route === 'pull' && isHolding) await new Promise<void>(resolve => (hold = resolve))
    } })
    let isHolding = false
    const store = await openLeading(transport, { isAutomatic: true, paceMs: 60_000 })
    await until(() => store.status.lastSyncAt !== undefined && !store.status.isSyncing)
    isHolding = true
    store.requestPull()
    await until(() => hold !== undefined)
    other.table(posts).put({ id: 'p1', title: 'during the pull' })
    await other.sync()
    isHolding = false
    store.hint(other.status.head)
    expect(store.status.cursor).toBe(0)
    hold!()
    await until(() => store.table(posts).get('p1') !== undefined)
    store.hint(999)
    await new Promise(resolve => setTimeout(resolve, 100))
    expect(store.status.cursor).toBe(1)
  })

  // Seen red: without the bound of rounds it pulled on.
  it('gives up a head that no pull reaches, as of the log before a restore, and hears of new ones', async () => {
    const server = await startServer()
    const other = await openLeading(server.transportOf())
    const store = await openLeading(server.transportOf(), { isAutomatic: true, paceMs: 60_000 })
    await until(() => store.status.lastSyncAt !== undefined && !store.status.isSyncing)
    store.hint(999)
    // The waits between its pulls come to three seconds.
    await new Promise(resolve => setTimeout(resolve, 4_500))
    const { pull } = server.calls
    await new Promise(resolve => setTimeout(resolve, 4_000))
    expect(server.calls.pull).toBe(pull)
    other.table(posts).put({ id: 'p1', title: 'in the new log' })
    await other.sync()
    store.hint(other.status.head)
    await until(() => store.table(posts).get('p1') !== undefined)
  })

  // Seen red: the snapshot made it forget what it had heard meanwhile, and the next slow poll found it.
  it('remembers a hint that comes after its first snapshot was read, in the same run', async () => {
    const server = await startServer()
    const other = await openLeading(server.transportOf())
    let goOn: (() => void) | undefined
    const transport = server.transportOf('user-1', { before: async (route) => {
      if (route === 'updateCursor') await new Promise<void>(resolve => (goOn = resolve))
    } })
    other.table(posts).put({ id: 'p0', title: 'before' })
    await other.sync()
    const store = await openLeading(transport, { isAutomatic: true, paceMs: 60_000 })
    await until(() => goOn !== undefined)
    other.table(posts).put({ id: 'p1', title: 'after the pull, and before the run has ended' })
    await other.sync()
    store.hint(other.status.head)
    goOn!()
    await until(() => store.table(posts).get('p1') !== undefined)
  })

  it('takes a snapshot where it is told to, keeps what waits, and reports its cursor at once', async () => {
    const server = await startServer()
    const transport = server.transportOf()
    let mustStartOver = false
    const store = await openLeading({ ...transport, async pull(request) {
      const page = await transport.pull(request)
      const requiresSnapshot = mustStartOver
      mustStartOver = false
      return { ...page, requiresSnapshot }
    } })
    store.table(posts).put({ id: 'p1', title: 'x' })
    await store.sync()
    mustStartOver = true
    const before = server.calls.updateCursor
    store.table(posts).put({ id: 'p2', title: 'waits' })
    expect(await store.sync()).toMatchObject({ ok: true, snapshot: true })
    expect(server.calls.updateCursor).toBe(before + 1)
    expect(store.table(posts).list().rows).toHaveLength(2)
  })
})

it('writes 10,000 rows for a cost that does not grow, and pushes all of them', async () => {
  const server = await startServer()
  const store = await openLeading(server.transportOf())
  const table = store.table(posts)
  const times: number[] = []
  let saved: Promise<boolean> | undefined
  for (let part = 0; part < 10; part++) {
    const startedAt = process.threadCpuUsage().user
    for (let at = 0; at < 1_000; at++) ({ saved } = table.put({ id: `p${part * 1_000 + at}`, title: 'x'.repeat(200) }))
    times.push((process.threadCpuUsage().user - startedAt) / 1000)
  }
  // Milliseconds of this thread; the fastest of each half, since a collection of garbage makes some slower.
  expect(Math.min(...times.slice(5))).toBeLessThan(Math.min(...times.slice(0, 5)) * 2 + 20)
  expect(await saved).toBe(true)
  expect(await store.sync()).toMatchObject({ ok: true, pushed: 10_000 })
  expect(server.calls.push).toBe(200)
}, 60_000)
