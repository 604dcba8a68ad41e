/** What both readers of the old database need of it: statements, and which columns its tables have. */
import type { SQLInputValue } from 'node:sqlite'

export interface SourceTables {
  columns: ReadonlyMap<string, ReadonlySet<string>>
  all<T>(sql: string, ...args: SQLInputValue[]): Iterable<T>
  one<T>(sql: string, ...args: SQLInputValue[]): T | undefined
}

export const rowTablePrefix = 's_'

/** A name as an SQL identifier. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
