/** What the demo found, as data and as a page of text. */
import { chatTables } from '../shared/tables.ts'
import { createRowReader } from '../shared/device-rows.ts'
import { fingerprint } from '../shared/fingerprint.ts'
import type { DemoDevice, Figures } from './device.ts'

export interface DemoResult {
  ok: boolean
  equal: boolean
  /** Is what came back what was imported, to the letter? Unknown where the workspace was in use before. */
  faithful: boolean | null
  fingerprint: string
  tables: { name: string, rows: number, tombstones: number }[]
  pushed: number
  pushMs: number
  opsPerSecond: number
  pulled: number
  pages: number
  pullMs: number
  head: number
  /** Concurrent writes that device B met, by the rule that decided them. */
  conflicts: Record<string, number>
  failed: number
  pending: number
}

export interface DemoRun {
  a: DemoDevice
  b: DemoDevice
  /** What device B had read before the import. */
  earlier: Figures
  /** Fingerprint of the import before any server saw it. */
  imported?: string | undefined
}

export async function describeResult({ a, b, earlier, imported }: DemoRun): Promise<DemoResult> {
  const [own, other] = await Promise.all([fingerprint(a.store), fingerprint(b.store)])
  const equal = own === other
  const faithful = imported === undefined ? null : imported === other
  const failed = a.store.status.failures + b.store.status.failures
  const pending = a.store.status.pending + b.store.status.pending
  const held = createRowReader(b.store)
  const { pushed, pushMs } = a.figures
  return {
    ok: equal && faithful !== false && failed === 0 && pending === 0,
    equal,
    faithful,
    fingerprint: own,
    tables: chatTables.map(({ name }) => ({
      name,
      rows: held.rows(name).length,
      tombstones: held.countTombstones(name),
    })),
    pushed,
    pushMs: Math.round(pushMs),
    opsPerSecond: Math.round(pushed / (pushMs / 1000)),
    pulled: b.figures.pulled - earlier.pulled,
    pages: b.figures.pages - earlier.pages,
    pullMs: Math.round(b.figures.pullMs - earlier.pullMs),
    head: b.store.status.head,
    conflicts: b.conflicts,
    failed,
    pending,
  }
}

export function formatResult(result: DemoResult): string {
  const count = (n: number) => n.toLocaleString('en')
  const row = (name: string, rows: number, tombstones: number) =>
    `  ${name.padEnd(14)}${count(rows).padStart(8)}${count(tombstones).padStart(9)}`
  const sum = (key: 'rows' | 'tombstones') => result.tables.reduce((total, table) => total + table[key], 0)
  const conflicts = Object.entries(result.conflicts).map(([rule, n]) => `${n} by ${rule}`)
  return [
    `  ${'table'.padEnd(14)}${'rows'.padStart(8)}${'deleted'.padStart(9)}`,
    ...result.tables.map(table => row(table.name, table.rows, table.tombstones)),
    row('all', sum('rows'), sum('tombstones')),
    '',
    `  device A pushed ${count(result.pushed)} ops in ${count(result.pushMs)} ms (${count(result.opsPerSecond)} ops/s)`,
    `  device B read ${count(result.pulled)} changes in ${result.pages} pages in ${count(result.pullMs)} ms`,
    `  head is version ${count(result.head)}; conflicts decided: ${conflicts.join(', ') || 'none'}`,
    `  failed ${result.failed}, pending ${result.pending}`,
    '',
    describeVerdict(result),
  ].join('\n')
}

function describeVerdict({ equal, faithful, fingerprint }: DemoResult): string {
  if (!equal) return '  The devices are NOT equal.'
  if (faithful === false) return '  Both devices are equal, but NOT to what was imported.'
  const what = faithful ? 'equal, and equal to what was imported' : 'equal'
  return `  Both devices are ${what} (${fingerprint.slice(0, 16)}).`
}
