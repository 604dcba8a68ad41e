/** What a statement may be given, as the native driver wants it: it ends the whole process over a boolean. */
import type { InArgs, InStatement, InValue } from '@libsql/core/api'

/** A statement that was given with its arguments beside it, as one. */
export function toStatement(statement: InStatement, args: InArgs | undefined): InStatement {
  return typeof statement === 'string' && args !== undefined ? { sql: statement, args } : statement
}

type NativeValue = null | string | number | bigint | Uint8Array

/** Turns the arguments of a statement into those that the driver binds. */
export function toNativeArgs(args: InArgs): NativeValue[] | Record<string, NativeValue> {
  if (Array.isArray(args)) return args.map(toNativeValue)
  const entries = Object.entries(args)
  // Names for a statement that has none end the process.
  if (entries.length === 0) return []
  return Object.fromEntries(entries.map(([name, value]) => [name.replace(/^[@$:]/, ''), toNativeValue(value)]))
}

const maxInteger = 2n ** 63n - 1n

function toNativeValue(value: InValue): NativeValue {
  switch (typeof value) {
    case 'string': return value
    case 'number':
      if (!Number.isFinite(value)) throw new RangeError('Only finite numbers can be stored')
      return value
    case 'bigint':
      if (value > maxInteger || value < -maxInteger - 1n) throw new RangeError('Only 64-bit integers can be stored')
      return value
    case 'boolean': return value ? 1 : 0
    case 'undefined': throw new TypeError('undefined cannot be stored: use null')
  }
  if (value === null || value instanceof Uint8Array) return value
  if (value instanceof Date) return value.valueOf()
  if (value instanceof ArrayBuffer) return Buffer.from(value)
  throw new TypeError(`A value of this kind cannot be stored: ${Object.prototype.toString.call(value)}`)
}
