/**
 * JSON as devices send it, which must come back equal. `JSON.stringify` escapes lone surrogates and NUL, so the text is
 * always well-formed UTF-8 that SQLite stores whole.
 */

/** True where `value` nests deeper than `limit` arrays and objects; stops at the limit, so any depth is safe. */
export function isDeeperThan(value: unknown, limit: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (limit === 0) return true
  if (Array.isArray(value)) return value.some(item => isDeeperThan(item, limit - 1))
  for (const key in value) {
    if (isDeeperThan((value as Record<string, unknown>)[key], limit - 1)) return true
  }
  return false
}

/** Equal as JSON: the order of keys does not matter. */
export function isEqualJson(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => isEqualJson(item, b[index]))
  }
  if (Array.isArray(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length
    && keys.every(key => Object.hasOwn(b, key)
      && isEqualJson((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
}

/** JSON text never contains this character unescaped, so it can join several texts. `char(30)` in SQL. */
const textSeparator = '\u001e'

/** Splits what `group_concat(…, char(30))` joined; null where it joined nothing. */
export function splitTexts(joined: string | null): string[] {
  return joined === null ? [] : joined.split(textSeparator)
}
