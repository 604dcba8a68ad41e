/** The report of an import for the operator: counts, repairs, and the rows that were left behind. */
export interface ImportReport {
  sourceRevision: number
  tables: { name: string, read: number, written: number }[]
  ownersRestored: number
  /** Device cursors; `ownerless` of them belong to no known user and were left behind. */
  cursors: { read: number, written: number, ownerless: number }
  /** Log rows whose op id was no UUID and became one. */
  opIdsReplaced: number
  workspaces: WorkspaceReport[]
  /** Live rows, in the old database and in the new one. */
  synced: { name: string, old: number, new: number }[]
  /** Rows that cannot be used, one line each; the first hundred. */
  unreadable: string[]
  unreadableCount: number
  leftBehind: { name: string, rows: number }[]
}

export interface WorkspaceReport {
  id: string
  oldHead: number
  head: number
  horizon: number
  /** Log rows of the old database that were kept. */
  changes: number
  /** Log rows made for rows and tombstones whose own the old clean-up had dropped. */
  restored: number
  rows: number
  tombstones: number
  /** Log rows of the old database that cannot be used. */
  unreadableChanges: number
  /** SHA-256 over all winners in key order. */
  fingerprint: string
}

/** An empty report. */
export function createReport(sourceRevision: number): ImportReport {
  return {
    sourceRevision, tables: [], ownersRestored: 0, cursors: { read: 0, written: 0, ownerless: 0 },
    opIdsReplaced: 0, workspaces: [], synced: [],
    unreadable: [], unreadableCount: 0, leftBehind: [],
  }
}

/** A workspace's report before anything is imported. */
export function emptyWorkspaceReport(id: string): WorkspaceReport {
  return {
    id, oldHead: 0, head: 0, horizon: 0, changes: 0, restored: 0,
    rows: 0, tombstones: 0, unreadableChanges: 0, fingerprint: '',
  }
}

const maxListed = 100

/** Counts all lines, and keeps the first hundred of the import. */
export function reportUnreadable(report: ImportReport, lines: readonly string[]): void {
  report.unreadableCount += lines.length
  report.unreadable.push(...lines.slice(0, Math.max(0, maxListed - report.unreadable.length)))
}
