/**
 * Rows as `@libsql/client` gives them: values by name and by index, `length` and the indices not enumerable.
 * The index getters sit on one prototype per statement, so that a row costs no property definitions.
 */
import type { Row, Value } from '@libsql/core/api'

export interface RowShape {
  columns: string[]
  columnTypes: string[]
  toRow: (values: readonly unknown[]) => Row
}

const valuesOf = Symbol('values')

type Held = { [valuesOf]: Value[] }

export function createRowShape(nativeColumns: readonly { name: string, type?: string | null }[]): RowShape {
  const columns = nativeColumns.map(column => column.name)
  const prototype = Object.create(null, {
    length: { value: columns.length },
    [Symbol.iterator]: { value(this: Held) { return this[valuesOf][Symbol.iterator]() } },
  })
  columns.forEach((_, index) => {
    Object.defineProperty(prototype, index, { get(this: Held) { return this[valuesOf][index] } })
  })
  return {
    columns,
    columnTypes: nativeColumns.map(column => column.type ?? ''),
    toRow(native) {
      const values = native.map(fromNativeValue)
      const row = Object.create(prototype)
      Object.defineProperty(row, valuesOf, { value: values })
      // The first of two columns with one name wins, as in @libsql/client.
      for (let index = columns.length - 1; index >= 0; index--) row[columns[index]!] = values[index]
      return row
    },
  }
}

function fromNativeValue(value: unknown): Value {
  if (typeof value === 'bigint') {
    const number = Number(value)
    if (!Number.isSafeInteger(number)) throw new RangeError('A stored integer is larger than a JavaScript number can hold')
    return number
  }
  if (Buffer.isBuffer(value)) return value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength) as ArrayBuffer
  return value as Value
}
