/** What the demo found, as data and as a page of text. */
import type { Replica, SyncReport } from '../app/sync/replica.ts'
import { SYNCED_TABLES } from '../app/sync/tables.ts'

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
  /** Concurrent writes that device B met, by the rule that decided them; a device remembers the last 50. */
  conflicts: Record<string, number>
  failed: number
  pending: number
}

export interface DemoRun {
  a: Replica
  b: Replica
  sent: SyncReport
  read: SyncReport
  /** Fingerprint of the import before any server saw it. */
  imported?: string | undefined
}

export async function describeResult({ a, b, sent, read, imported }: DemoRun): Promise<DemoResult> {
  const [fingerprint, other] = await Promise.all([a.fingerprint(), b.fingerprint()])
  const equal = fingerprint === other
  const faithful = imported === undefined ? null : imported === other
  const failed = a.failed.length + b.failed.length
  const pending = a.pending.length + b.pending.length
  const conflicts: Record<string, number> = {}
  for (const { decidedBy } of b.decisions) conflicts[decidedBy] = (conflicts[decidedBy] ?? 0) + 1
  const tombstones = b.tombstones()
  return {
    ok: equal && faithful !== false && failed === 0 && pending === 0,
    equal,
    faithful,
    fingerprint,
    tables: SYNCED_TABLES.map(name => ({
      name,
      rows: b.rows(name).length,
      tombstones: tombstones.filter(entry => entry.tableName === name).length,
    })),
    pushed: sent.pushed,
    pushMs: Math.round(sent.pushMs),
    opsPerSecond: Math.round(sent.pushed / (sent.pushMs / 1000)),
    pulled: read.pulled,
    pages: read.pages,
    pullMs: Math.round(read.pullMs),
    head: b.head,
    conflicts,
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
