/**
 * `JSON.parse` that keeps every number as it was sent: one that a double cannot hold (2^53+1, 1e309, twenty decimals)
 * becomes a raw JSON value, which `JSON.stringify` writes back digit by digit.
 */

/** Numbers that might not fit; in a string it only costs time. A UUID's `1e4` must not match. */
const suspicious = /[:,[]\s*-?(?:[\d.]{16,}|[\d.]+[eE])/

interface RawJson {
  rawJSON(text: string): unknown
  isRawJSON(value: unknown): boolean
}
type SourceReviver = (key: string, value: unknown, context: { source?: string }) => unknown

/** Throws `SyntaxError` as `JSON.parse` does. */
export function parseJson(text: string): unknown {
  return suspicious.test(text) ? JSON.parse(text, keepExact as (key: string, value: unknown) => unknown) : JSON.parse(text)
}

const keepExact: SourceReviver = (_key, value, { source }) =>
  typeof value === 'number' && source !== undefined && canonical(source) !== canonical(String(value))
    ? (JSON as unknown as RawJson).rawJSON(source)
    : value

/** The number that `value` is, where it is one; a raw one is rounded, or infinite. */
export function toNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  return isRawJson(value) ? Number(value.rawJSON) : undefined
}

function isRawJson(value: unknown): value is { rawJSON: string } {
  return (JSON as unknown as RawJson).isRawJSON(value)
}

/** Sign, significant digits and the power of ten of the last of them: one text per decimal number. */
function canonical(number: string): string {
  const [, sign, whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(number) ?? []
  const digits = (whole + fraction).replace(/^0+/, '')
  const significant = digits.replace(/0+$/, '')
  if (significant === '') return whole === '' ? number : '0'
  return `${sign}${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`
}
