/**
 * Figures in Prometheus' text format, without a label that names a tenant. Requests are looked at from outside, by path
 * and answer, so that a host's own routes are counted as the layer's.
 */
import type { H3Event } from 'h3'
import type { Registry } from 'prom-client'
import type { SyncEngine } from '../sync/engine.ts'
import { readBacklog } from '../sync/retention/maintenance-log.ts'
import { readLastBackupAt } from './backup.ts'
import { readWalBytes } from './health.ts'
import { countLiveListeners, liveFigures } from '../http/live/live.ts'
import { readWaitedMs } from '../http/live/wait.ts'
import { pathOf } from '../http/requests.ts'
import { readBytesInFlight } from '../http/byte-budget.ts'
import { readRequestsInFlight } from '../http/admission.ts'
import { limitNames, readLimited } from '../lib/limit-counts.ts'
import { readPushResults, type Receipt } from './push-results.ts'

export interface Metrics {
  contentType: string
  /** Counts the request when its answer has been sent. */
  begin(event: H3Event): void
  /** Looks at what a handler answers, before it is made text. */
  see(event: H3Event, answer: unknown): void
  read(): Promise<string>
}

/** From a poll that finds nothing to a push on a slow disk. */
const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const outcomes = ['applied', 'superseded', 'replayed', 'conflict', 'refused'] as const

/** `engine` gives the one of the open database, if it is open. */
export async function createMetrics(engine: () => SyncEngine | undefined): Promise<Metrics> {
  const { Counter, Gauge, Histogram, Registry } = await import('prom-client')
  const registers = [new Registry()]
  const requests = new Counter({
    name: 'or3_sync_requests_total', help: 'Answered sync requests.', labelNames: ['operation', 'status'], registers,
  })
  const latency = new Histogram({
    name: 'or3_sync_request_seconds',
    help: 'From the request to its whole answer, without what a pull waits on purpose.',
    labelNames: ['operation'], buckets: latencyBuckets, registers,
  })
  const ops = new Counter({
    name: 'or3_sync_ops_total', help: 'Pushed ops by what became of them.', labelNames: ['outcome'], registers,
  })
  for (const outcome of outcomes) ops.inc({ outcome }, 0)
  new Counter({
    name: 'or3_sync_limited_total', help: 'How often each limit was met.', labelNames: ['limit'], registers,
    collect() {
      this.reset()
      for (const limit of limitNames) this.inc({ limit }, readLimited(limit))
    },
  })
  const gauge = (name: string, help: string, read: () => number) => new Gauge({
    name, help, registers,
    collect() {
      this.set(read())
    },
  })
  gauge('or3_sync_live_listeners', 'Live streams and waiting pulls.', countLiveListeners)
  gauge('or3_sync_bytes_in_flight', 'Bytes of large bodies and answers in memory.', readBytesInFlight)
  gauge('or3_sync_requests_in_flight', 'Requests whose answer was not taken yet.', readRequestsInFlight)
  await addDatabaseFigures(registers, engine)
  await addLiveFigures(registers)

  return {
    contentType: registers[0]!.contentType,
    begin(event) {
      const operation = operationOf(event)
      if (!operation) return
      const startedAt = performance.now()
      const response = event.node.res
      response.once('finish', () => {
        latency.observe({ operation }, (performance.now() - startedAt - readWaitedMs(event)) / 1_000)
        requests.inc({ operation, status: response.statusCode })
      })
    },
    see(event, answer) {
      if (operationOf(event) !== 'push') return
      const results = readPushResults(event) ?? (isPushResult(answer) ? answer.results : [])
      for (const receipt of results) ops.inc({ outcome: outcomeOf(receipt) })
    },
    read: () => registers[0]!.metrics(),
  }
}

async function addDatabaseFigures(registers: Registry[], engine: () => SyncEngine | undefined) {
  const { Counter, Gauge } = await import('prom-client')
  const gauge = (name: string, help: string, read: (opened: SyncEngine) => number | Promise<number>) => new Gauge({
    name: `or3_sync_${name}`, help, registers,
    async collect() {
      const opened = engine()
      if (!opened) return
      // A figure that cannot be read keeps its last value, so that the others are still answered.
      const value = await Promise.resolve(opened).then(read).catch(() => undefined)
      if (value !== undefined) this.set(value)
    },
  })
  const counter = (name: string, help: string, read: (opened: SyncEngine) => number) => new Counter({
    name: `or3_sync_${name}`, help, registers,
    collect() {
      const opened = engine()
      this.reset()
      if (opened) this.inc(read(opened))
    },
  })
  counter('commits_total', 'Transactions committed; several writes share one.', ({ database: { activity } }) =>
    activity.commits)
  counter('writes_total', 'Writes acknowledged.', ({ database: { activity } }) => activity.jobs)
  counter('busy_waits_total', 'How often another process\'s lock was waited for.', ({ database: { activity } }) =>
    activity.busyWaits)
  gauge('queued_writes', 'Writes that wait for the writer.', ({ database: { activity } }) => activity.queued)
  gauge('writable', '0 after a write failed, until one succeeds.', ({ database: { activity } }) =>
    activity.isWritable ? 1 : 0)
  gauge('healthy', '0 where /api/health answers 503.', ({ database: { activity } }) =>
    activity.problem === null ? 1 : 0)
  gauge('wal_bytes', 'Size of the write-ahead log.', ({ database }) => readWalBytes(database))
  gauge('last_clean_up_timestamp_seconds', '0 where there was none.', opened =>
    toSeconds(opened.maintenance.read().lastRun))
  // Asked for anew: a clean-up that never runs would leave it at 0.
  gauge('clean_up_backlog_versions', 'Versions no clean-up has read yet.', ({ database }) => readBacklog(database))
  gauge('last_backup_timestamp_seconds', '0 where there was none.', async ({ database }) =>
    toSeconds(await readLastBackupAt(database.local)))
}

/** From a commit to the hint's write: a few turns of the event loop, more where thousands listen. */
const hintBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

async function addLiveFigures(registers: Registry[]) {
  const { Counter, Histogram } = await import('prom-client')
  const counter = (name: string, help: string, read: () => number) => new Counter({
    name: `or3_sync_live_${name}`, help, registers,
    collect() {
      this.reset()
      this.inc(read())
    },
  })
  counter('hints_total', 'Hints written to live streams.', () => liveFigures.hints)
  counter('dropped_readers_total', 'Live streams ended because nothing got through.', () => liveFigures.dropped)
  const seconds = { name: 'or3_sync_live_hint_seconds', help: 'From a commit to the write of its hint.' }
  const latency = new Histogram({ ...seconds, buckets: hintBuckets, registers })
  liveFigures.onHint(value => latency.observe(value))
}

/** Only the routes that exist: a client could invent names, and each would stay a label for ever. */
function operationOf(event: H3Event): string | undefined {
  if (event.method !== 'POST') return undefined
  return /^\/api\/sync\/(push|pull|snapshot|update-cursor|gc-change-log|gc-tombstones)$/.exec(pathOf(event))?.[1]
}

function isPushResult(answer: unknown): answer is { results: Receipt[] } {
  return typeof answer === 'object' && answer !== null && 'results' in answer && Array.isArray(answer.results)
}

function outcomeOf({ success, applied, replayed, errorCode }: Receipt): typeof outcomes[number] {
  if (!success) return errorCode === 'CONFLICT' ? 'conflict' : 'refused'
  return replayed ? 'replayed' : applied ? 'applied' : 'superseded'
}

function toSeconds(moment: string | null | undefined): number {
  return moment ? Date.parse(moment) / 1000 : 0
}
