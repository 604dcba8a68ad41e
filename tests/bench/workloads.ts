/** The workloads. Each opens a database of its own, does what its name says, and gives the time of each call. */
import { statSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as yieldToLoop } from 'node:timers/promises'
import { type Implementation, makeOp, type Op, type Open } from './implementation.ts'

export interface Samples {
  /** Milliseconds of each call. */
  calls: number[]
  /** How many ops, rows or changes one call handled. */
  perCall: number
  /** Longest stop of the event loop, where the workload is about that. */
  maxStallMs?: number
  bytes?: number
}

export interface Context {
  open: Open
  /** A fresh path for each database. */
  path: (name: string) => string
  /** 1 in a full run, less in a quick one. */
  scale: number
}

type Workload = (context: Context) => Promise<Record<string, Samples>>

const batches = (count: number, size: number) => Array.from({ length: count }, () => Array.from({ length: size }, () => makeOp()))
const times = (scale: number, count: number) => Math.max(5, Math.round(count * scale))

async function timed<T>(inputs: readonly T[], call: (input: T) => Promise<unknown>): Promise<number[]> {
  const calls: number[] = []
  for (const input of inputs) {
    const startedAt = performance.now()
    await call(input)
    calls.push(performance.now() - startedAt)
    // As a server does between requests.
    await yieldToLoop()
  }
  return calls
}

async function withDatabase<T>({ open, path }: Context, name: string, work: (database: Implementation) => Promise<T>): Promise<T> {
  const database = await open(path(name))
  try {
    return await work(database)
  }
  finally {
    await database.close()
  }
}

async function fill(database: Implementation, rows: number, makeRow: () => Op = makeOp) {
  for (let at = 0; at < rows; at += 1000) {
    await database.push(Array.from({ length: Math.min(1000, rows - at) }, () => makeRow()))
    await yieldToLoop()
  }
}

async function pullAll(database: Implementation, limit: number, tables?: string[]): Promise<number[]> {
  const calls: number[] = []
  for (let cursor = 0, more = true; more;) {
    const startedAt = performance.now()
    const page = await database.pull(cursor, limit, tables)
    calls.push(performance.now() - startedAt)
    cursor = page.nextCursor
    more = page.hasMore
    await yieldToLoop()
  }
  return calls
}

/** The times of the pages of `count` whole snapshots. */
async function timedSnapshots(database: Implementation, count: number): Promise<number[][]> {
  const snapshots: number[][] = []
  for (let snapshot = 0; snapshot < count; snapshot++) {
    const pages: number[] = []
    for (let next: string | null = null, first = true; first || next !== null; first = false) {
      const startedAt = performance.now()
      next = (await database.snapshotPage(1000, next)).next
      pages.push(performance.now() - startedAt)
      await yieldToLoop()
    }
    snapshots.push(pages)
  }
  return snapshots
}

export const workloads: Record<string, Workload> = {
  push1: context => withDatabase(context, 'push1', async database => ({
    push1: { perCall: 1, calls: await timed(batches(times(context.scale, 2000), 1), ops => database.push(ops)) },
  })),

  push100: context => withDatabase(context, 'push100', async (database) => {
    const rows = batches(times(context.scale, 200), 100)
    const updates = rows.map(ops => ops.map(op => makeOp(op.pk, 2)))
    return {
      push100: { perCall: 100, calls: await timed(rows, ops => database.push(ops)) },
      replay100: { perCall: 100, calls: await timed(rows, ops => database.push(ops)) },
      update100: { perCall: 100, calls: await timed(updates, ops => database.push(ops)) },
    }
  }),

  push1000: context => withDatabase(context, 'push1000', async database => ({
    push1000: { perCall: 1000, calls: await timed(batches(times(context.scale, 30), 1000), ops => database.push(ops)) },
  })),

  pull: context => withDatabase(context, 'pull', async (database) => {
    await fill(database, 20_000)
    const pull100 = await pullAll(database, 100)
    const pull1000 = await pullAll(database, 1000)
    const snapshots = await timedSnapshots(database, 5)
    return {
      pull100: { perCall: 100, calls: pull100 },
      pull1000: { perCall: 1000, calls: pull1000 },
      snapshot: { perCall: 20_000, calls: snapshots.map(pages => pages.reduce((sum, page) => sum + page, 0)) },
      snapshotFirstPage: { perCall: 1000, calls: snapshots.map(pages => pages[0]!) },
      snapshotLaterPage: { perCall: 1000, calls: snapshots.flatMap(pages => pages.slice(1)) },
    }
  }),

  filter1pct: context => withDatabase(context, 'filter', async (database) => {
    let row = 0
    await fill(database, times(context.scale, 100_000), () => row++ % 100 === 0 ? makeOp(undefined, 1, 'kv') : makeOp())
    // Ten pages make one pass: the first finds nothing in memory yet, whoever reads it.
    const passes: number[] = []
    for (let pass = 0; pass < 5; pass++) passes.push(...await pullAll(database, 100, ['kv']))
    return { filter1pct: { perCall: 100, calls: passes } }
  }),

  session: context => withDatabase(context, 'session', async (database) => {
    const accounts = Array.from({ length: times(context.scale, 1000) }, (_, index) => `account-${index}`)
    return {
      firstSession: { perCall: 1, calls: await timed(accounts, account => database.session(account)) },
      // Several times each, as in a server that has been up for some seconds.
      session: { perCall: 1, calls: await timed(Array.from({ length: 10 }, () => accounts).flat(), account => database.session(account)) },
    }
  }),

  bytes: async (context) => {
    await withDatabase(context, 'bytes', database => fill(database, 20_000))
    return { bytes: { perCall: 20_000, calls: [], bytes: statSync(context.path('bytes')).size } }
  },

  gc100k: context => withDatabase(context, 'gc', async (database): Promise<Record<string, Samples>> => {
    const { cleanUp, age } = database
    if (!cleanUp || !age) return {}
    const keys = Array.from({ length: 1000 }, () => makeOp().pk)
    for (let clock = 1; clock <= times(context.scale, 100) + 1; clock++) await database.push(keys.map(pk => makeOp(pk, clock)))
    await age(100_000)
    const usual = await timed(batches(200, 10), ops => database.push(ops))
    const delay = monitorEventLoopDelay({ resolution: 1 })
    let done = false
    delay.enable()
    const cleaning = cleanUp(3600).finally(() => {
      done = true
    })
    const during: number[] = []
    while (!done) {
      during.push(...await timed(batches(1, 10), ops => database.push(ops)))
      await database.pull(0, 100)
      await yieldToLoop()
    }
    await cleaning
    delay.disable()
    return {
      gc100kUsualPush: { perCall: 10, calls: usual },
      gc100k: { perCall: 10, calls: during, maxStallMs: delay.max / 1e6 },
    }
  }),

  growth: async (context) => {
    const samples: Record<string, Samples> = {}
    await withDatabase(context, 'growth', async (database) => {
      let rows = 0
      for (const [label, size] of [['0', 0], ['100k', 100_000], ['1M', 1_000_000]] as const) {
        // A quick run does not wait for a million rows.
        if (size > 100_000 && context.scale < 1) continue
        await fill(database, size - rows)
        const measured = batches(50, 100)
        samples[`growth${label}`] = { perCall: 100, calls: await timed(measured, ops => database.push(ops)) }
        rows = size + 5_000
      }
    })
    return samples
  },
}
