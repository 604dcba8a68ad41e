/**
 * `npm run bench [-- --json] [--quick] [--only name,…] [--rounds n] [--implementations ours,floor]`
 * Rounds of the implementations are interleaved, each in its own process; the figures are medians over the rounds.
 */
import { execFileSync } from 'node:child_process'
import { cpus } from 'node:os'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Samples } from './workloads.ts'
import { workloads } from './workloads.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    rounds: { type: 'string' },
    implementations: { type: 'string', default: 'ours,floor' },
  },
})
const names = values.only ?? Object.keys(workloads).filter(name => !values.quick || name !== 'growth').join()
const unknown = names.split(',').filter(name => !(name in workloads))
if (unknown.length > 0) throw new Error(`--only ${unknown.join()}: there is ${Object.keys(workloads).join(', ')}`)
const implementations = values.implementations.split(',')
const rounds = Number(values.rounds ?? (values.quick ? 2 : 5))
const scale = values.quick ? '0.1' : '1'

type Figure = 'p50Ms' | 'p99Ms' | 'opsPerSec' | 'maxStallMs' | 'bytes'
type Figures = { rssMb: number } & { [name in Figure]?: number | undefined }
type Sample = Samples & { rssMb: number }

const results: Record<string, Record<string, Sample[]>> = {}
for (let round = 0; round < rounds; round++) {
  for (const implementation of round % 2 === 0 ? implementations : implementations.toReversed()) {
    process.stderr.write(`round ${round + 1}/${rounds} ${implementation}\n`)
    const script = fileURLToPath(new URL('round.ts', import.meta.url))
    const output = execFileSync(process.execPath, ['--no-warnings', script, implementation, scale, names], { maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'inherit'] })
    for (const [workload, sample] of Object.entries(JSON.parse(output.toString()) as Record<string, Sample>)) {
      ((results[workload] ??= {})[implementation] ??= []).push(sample)
    }
  }
}

const summary = Object.fromEntries(Object.entries(results).map(([workload, byImplementation]) =>
  [workload, Object.fromEntries(Object.entries(byImplementation).map(([implementation, samples]) => [implementation, summarise(samples)]))]))
const machine = `${cpus()[0]?.model.trim()} × ${cpus().length}, Node ${process.version}`

if (values.json) process.stdout.write(`${JSON.stringify({ machine, rounds, workloads: summary })}\n`)
else printTable()

function summarise(samples: Sample[]): Figures {
  const median = (pick: (sample: Sample) => number | undefined) => quantile(samples.map(pick).filter(value => value !== undefined), 0.5)
  return {
    p50Ms: round(median(sample => quantile(sample.calls, 0.5))),
    p99Ms: round(median(sample => quantile(sample.calls, 0.99))),
    opsPerSec: round(median(opsPerSecond)),
    rssMb: Math.round(median(sample => sample.rssMb)!),
    maxStallMs: round(median(sample => sample.maxStallMs)),
    bytes: median(sample => sample.bytes),
  }
}

/** Over the whole of a round, the slow calls among them. */
function opsPerSecond({ calls, perCall }: Sample): number | undefined {
  if (calls.length === 0) return undefined
  return calls.length * perCall / calls.reduce((sum, ms) => sum + ms, 0) * 1000
}

function quantile(values: readonly number[], at: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))]
}

function round(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Number(value.toPrecision(4))
}

function printTable() {
  process.stdout.write(`${machine}; medians of ${rounds} rounds; synchronous=NORMAL; payload about 600 bytes\n\n`)
  process.stdout.write(`| workload | ${implementations.map(name => `${name} p50 / p99 ms | `).join('')}ratio p50 |\n|---|${implementations.map(() => '---|').join('')}---|\n`)
  for (const [workload, figures] of Object.entries(summary)) {
    const cells = implementations.map((name) => {
      const figure = figures[name]
      if (!figure) return '–'
      if (figure.bytes !== undefined) return `${(figure.bytes / 2 ** 20).toFixed(1)} MiB`
      return `${figure.p50Ms} / ${figure.p99Ms}${figure.maxStallMs === undefined ? '' : ` (stall ${figure.maxStallMs})`}`
    })
    const [ours, floor] = [figures[implementations[0]!], figures[implementations[1] ?? '']]
    const ratio = ours && floor ? (ours.bytes ?? ours.p50Ms ?? 0) / (floor.bytes ?? floor.p50Ms ?? 1) : undefined
    process.stdout.write(`| ${workload} | ${cells.join(' | ')} | ${ratio?.toFixed(2) ?? ''} |\n`)
  }
}
