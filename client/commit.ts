/** Commits that are stored together. */
import type { Commit, EntriesByTable, Entry } from './types.ts'

/** What a transaction makes of one key. */
export interface PlannedEntry { table: string, entry: Entry }

/** The entries of a commit. */
export function groupByTable(planned: Iterable<PlannedEntry>): EntriesByTable {
  const entries: EntriesByTable = {}
  for (const { table, entry } of planned) (entries[table] ??= []).push(entry)
  return entries
}

/** One commit of several local writes, in their order; an op that a later one replaces is left out. */
export function mergeCommits(commits: readonly Commit[]): Commit {
  const dropOps = commits.flatMap(commit => commit.dropOps ?? [])
  const dropped = new Set(dropOps)
  return {
    meta: Object.assign({}, ...commits.map(commit => commit.meta)) as Commit['meta'],
    node: commits.find(commit => commit.node)?.node,
    putOps: commits.flatMap(commit => commit.putOps ?? []).filter(({ opId }) => !dropped.has(opId)),
    dropOps,
    putFailures: commits.flatMap(commit => commit.putFailures ?? []),
    dropFailures: commits.flatMap(commit => commit.dropFailures ?? []),
  }
}
