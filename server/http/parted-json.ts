/**
 * A large push as a value whose ops are parsed one by one: what is around them is parsed at once, with a mark in the
 * place of each. Both are valid JSON, or the whole was not.
 */
import { randomUUID } from 'node:crypto'
import { parseJson } from '../../shared/parse-json.ts'
import type { OpSpan } from '../lib/json-scan.ts'
import { oversizedPayload } from '../sync/push/validate.ts'

/** Throws `SyntaxError` and `RangeError`; an op does when it is called, through `guard`. */
export function parseInParts(body: Buffer, spans: readonly OpSpan[], guard: <T>(work: () => T) => T): unknown {
  // The mark is random, so it cannot be forged.
  const mark = randomUUID()
  const around: string[] = []
  let from = 0
  spans.forEach(({ start, end }, index) => {
    around.push(body.toString('utf8', from, start), `"${mark}${index}"`)
    from = end
  })
  const value = parseJson(around.join('') + body.toString('utf8', from))
  const toOp = (text: string) => {
    const span = spans[Number(text.slice(mark.length))]!
    return () => guard(() => parseOp(body, span))
  }
  const { ops } = (value ?? {}) as { ops?: unknown }
  if (!Array.isArray(ops)) return value
  const isMark = (op: unknown): op is string => typeof op === 'string' && op.startsWith(mark)
  return { ...value as object, ops: ops.map((op: unknown) => isMark(op) ? toOp(op) : op) }
}

function parseOp(body: Buffer, { start, end, payload }: OpSpan): unknown {
  if (payload === null) return parseJson(body.toString('utf8', start, end))
  const text = `${body.toString('utf8', start, payload.start)}null${body.toString('utf8', payload.end, end)}`
  return { ...parseJson(text) as object, payload: oversizedPayload }
}
