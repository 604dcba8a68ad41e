/** Writes the report of an import as text. */
import { resolve } from 'node:path'
import type { ImportReport, WorkspaceReport } from './report.ts'

/** The newest schema of or3-provider-sqlite that this was tried with. */
const newestRevision = 17

/** Writes to `output`; `to` is the new database's path. */
export function writeSummary(output: { write(text: string): unknown }, report: ImportReport, to: string): void {
  const lines = [
    ...writeTable(['table', 'read', 'written'], [...report.tables, { name: 'device_cursors', ...report.cursors }]
      .map(({ name, read, written }) => [name, read, written])),
    '',
    ...writeTable(['live rows of', 'old', 'new'], report.synced.map(({ name, old, new: now }) => [name, old, now])),
    '',
    ...writeTable(
      ['workspace', 'head', 'changes', 'restored', 'rows', 'deleted', 'horizon', 'fingerprint'],
      report.workspaces.map(toCells),
    ),
    '',
    ...report.sourceRevision > newestRevision
      ? [
          `The old database's schema is ${report.sourceRevision}, newer than ${newestRevision}: `
          + `tables that came since are left behind.`,
        ]
      : [],
    ...report.ownersRestored > 0
      ? [`${report.ownersRestored} workspaces had no member as owner and got the one they named.`]
      : [],
    ...report.cursors.ownerless > 0
      ? [`Left behind: ${report.cursors.ownerless} device cursors without a known user; the devices report them again.`]
      : [],
    ...report.opIdsReplaced > 0 ? [`${report.opIdsReplaced} op ids were no UUIDs and were replaced.`] : [],
    ...report.leftBehind.map(({ name, rows }) => `Left behind: ${name} (${rows} rows).`),
    ...report.unreadableCount > 0
      ? [`Unreadable and left behind: ${report.unreadableCount}.`, ...report.unreadable.map(line => `  ${line}`)]
      : [],
    `Old and new are equal: log, heads and winners. The new database is ${resolve(to)}.`,
    `Start the server with OR3_SQLITE_DB_PATH=${resolve(to)} and keep the old file until you are content.`,
  ]
  output.write(`${lines.join('\n')}\n`)
}

function toCells({ id, head, changes, restored, rows, tombstones, horizon, fingerprint }: WorkspaceReport) {
  return [id, head, changes, restored, rows, tombstones, horizon, fingerprint.slice(0, 12)]
}

/** Texts to the left, numbers to the right. */
function writeTable(names: string[], rows: (string | number)[][]): string[] {
  const widths = names.map((name, column) => Math.max(name.length, ...rows.map(row => String(row[column]).length)))
  const pad = (cell: string | number, column: number) =>
    typeof cell === 'number' ? String(cell).padStart(widths[column]!) : cell.padEnd(widths[column]!)
  return [names, ...rows].map(row => row.map(pad).join('  ').trimEnd())
}
