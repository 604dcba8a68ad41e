/**
 * A `JSON.parse` that keeps every number as it was sent. A number that a double cannot hold (2^53+1, 1e309, twenty
 * decimals) or that `JSON.stringify` writes as another (-0) becomes a raw JSON value, which `JSON.stringify` writes
 * back digit by digit. A reviver's `source` would do the same, but V8 can lose it
 * (https://github.com/nodejs/node/issues/63785).
 */

/** Numbers that a double might not hold. A match in a string only costs time. A UUID's `1e4` must not match. */
const suspicious = /[:,[]\s*-?(?:[\d.]{16,}|[\d.]+[eE]|(?<=-)0(?:\.0*)?(?![\d.]))/

interface RawJson {
  rawJSON(text: string): unknown
  isRawJSON(value: unknown): boolean
}

/** Far more than a payload may have. A body of nothing but brackets would take V8 seconds. */
export const maxJsonDepth = 10_000
/** A JavaScript client cannot send even one. Each costs a microsecond or two. */
const maxRawNumbers = 10_000

/** Parses. Throws `SyntaxError` as `JSON.parse` does, `RangeError` for too deep nesting or too many raw numbers. */
export function parseJson(text: string): unknown {
  if (text.length > maxJsonDepth) refuseDeep(text)
  if (!suspicious.test(text)) return JSON.parse(text)
  // The marker is random, so it cannot be forged.
  const mark = crypto.randomUUID()
  const { marked, count } = markNumbers(text, mark)
  return count === 0 ? JSON.parse(text) : replaceMarked(JSON.parse(marked), mark, count)
}

/** The value as a number, where it is one. A raw number is rounded, or infinite. */
export function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  return isRawJson(value) ? Number(value.rawJSON) : undefined
}

function isRawJson(value: unknown): value is { rawJSON: string } {
  return (JSON as unknown as RawJson).isRawJSON(value)
}

const beforeNumber = /(?<![\w.+-])(?=-?[\d.]{16}|-?[\d.]+[eE]|-0(?:\.0*)?(?![\d.]))/
const wholeNumber = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-]|\s*:)/

/** The start of a string, or a number with an exponent or at least 16 characters. */
const stringOrNumber = new RegExp(`"|${beforeNumber.source}${wholeNumber.source}`, 'g')

/** Replaces each number that a double cannot hold by a string of `mark` and its digits, and counts them. */
function markNumbers(text: string, mark: string): { marked: string, count: number } {
  let marked = ''
  let from = 0
  let count = 0
  stringOrNumber.lastIndex = 0
  for (let found = stringOrNumber.exec(text); found; found = stringOrNumber.exec(text)) {
    const [token] = found
    if (token === '"') stringOrNumber.lastIndex = endOfString(text, found.index + 1)
    else if (!fitsDouble(token)) {
      if (++count > maxRawNumbers) throw new RangeError(`More than ${maxRawNumbers} numbers that a double cannot hold`)
      marked += `${text.slice(from, found.index)}"${mark}${token}"`
      from = stringOrNumber.lastIndex
    }
  }
  return { marked: marked + text.slice(from), count }
}

type Container = Record<string, unknown>

/**
 * Turns the marked strings into raw numbers. A reviver would be called for every value; this stops at the last mark.
 */
function replaceMarked(value: unknown, mark: string, count: number): unknown {
  const whole: Container = { value }
  const waiting: Container[] = [whole]
  for (let left = count; left > 0 && waiting.length > 0;) {
    const container = waiting.pop()!
    // An array's `Object.keys` would make a string for each index.
    const keys = Array.isArray(container) ? container.keys() : Object.keys(container)
    for (const key of keys as Iterable<string>) {
      const part = container[key]
      if (typeof part === 'object' && part !== null) waiting.push(part as Container)
      else if (typeof part === 'string' && part.startsWith(mark)) {
        left--
        // An assignment to `__proto__` would set the prototype.
        Object.defineProperty(container, key, {
          value: (JSON as unknown as RawJson).rawJSON(part.slice(mark.length)),
          enumerable: true,
          configurable: true,
          writable: true,
        })
      }
    }
  }
  return whole['value']
}

function fitsDouble(token: string): boolean {
  // A double has a negative zero, but `JSON.stringify` writes it as 0.
  if (Object.is(Number(token), -0)) return false
  // A double always keeps fifteen digits, away from the ends of its range.
  if (/^-?[\d.]{1,15}(?:[eE][+-]?\d{1,2})?$/.test(token)) return true
  return canonical(token) === canonical(String(Number(token)))
}

function refuseDeep(text: string) {
  // The usual case, and the cheapest check.
  if (!hasMoreBrackets(text, maxJsonDepth)) return
  let depth = 0
  for (let index = 0; index < text.length; index++) {
    switch (text.charCodeAt(index)) {
      case 0x22:
        index = endOfString(text, index + 1) - 1
        break
      case 0x5b: case 0x7b:
        if (++depth > maxJsonDepth) throw new RangeError(`Nested deeper than ${maxJsonDepth} levels`)
        break
      case 0x5d: case 0x7d:
        depth--
    }
  }
}

/** True where the text has more than `count` opening brackets, those in strings included. */
function hasMoreBrackets(text: string, count: number): boolean {
  let found = 0
  for (const bracket of '[{') {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      if (++found > count) return true
    }
  }
  return false
}

/** The end of the string that starts at `from`: after the first quote with an even number of backslashes before it. */
function endOfString(text: string, from: number): number {
  for (let quote = text.indexOf('"', from); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let before = quote
    while (before > from && text[before - 1] === '\\') before--
    if ((quote - before) % 2 === 0) return quote + 1
  }
  return text.length
}

/** Sign, significant digits and the power of ten of the last of them: one text per decimal number. */
function canonical(decimal: string): string {
  const [, sign, whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(decimal)
    ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.slice(0, endOfZeros(digits))
  if (significant === '') return whole === '' ? decimal : '0'
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}

/** The start of the trailing zeros. A regular expression would take quadratic time here. */
function endOfZeros(digits: string): number {
  let end = digits.length
  while (end > 0 && digits[end - 1] === '0') end--
  return end
}
