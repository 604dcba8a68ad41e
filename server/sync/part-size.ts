/**
 * How many rows one statement reads. The payloads of a part become one text, which holds the event loop while it is
 * made. The lengths of more than a few rows are asked for first.
 */
import { maxPartBytes, maxPayloadBytes } from '../../shared/limits.ts'

/** So many rows are never more than a part, whatever they hold. */
const surelySmall = Math.floor(maxPartBytes / maxPayloadBytes)

export interface PartSize<Position> {
  /** Rows to read after `position`, at most `rest`. */
  next(position: Position, rest: number): Promise<number>
}

/** Makes the sizes of one page. `measure` gives the bytes of payloads of the next `limit` rows. */
export function createPartSize<Position>(
  measure: (position: Position, limit: number) => Promise<number>,
): PartSize<Position> {
  let isFirst = true
  let largest = Infinity
  return {
    async next(position, rest) {
      let size = Math.min(rest, largest)
      // A poll finds nothing or a little: it pays for no second statement.
      if (isFirst) size = Math.min(size, surelySmall)
      isFirst = false
      while (size > surelySmall && await measure(position, size) > maxPartBytes) size = Math.floor(size / 2)
      largest = size > surelySmall ? 4 * size : 8 * surelySmall
      return Math.min(rest, Math.max(size, surelySmall))
    },
  }
}
