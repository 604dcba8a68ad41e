/** Text that every column keeps: SQLite's driver ends a text at NUL and cannot read half of a surrogate pair. Pure. */
import { maxIdLength } from '../../shared/limits.ts'

/** True for text that reads back as it was written. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** True for storable text of 1 to `maxLength` characters. */
export function isId(value: unknown, maxLength = maxIdLength): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= maxLength && isStorable(value)
}
