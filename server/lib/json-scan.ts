/**
 * Scans the bytes of a large push while they come, in time linear in them: how deep they nest, how many values they
 * hold, where each op begins and ends, so that ops are parsed one by one. It checks no grammar: `JSON.parse` does, of
 * each op and of the text around them.
 */
import { maxJsonDepth } from '../../shared/parse-json.ts'
import { maxPayloadBytes } from '../../shared/limits.ts'

/** Where an op stands in the body, in bytes. */
export interface OpSpan {
  start: number
  end: number
  /** Of a payload with more values than fit its limit: it is not even parsed. */
  payload: { start: number, end: number } | null
}

export interface JsonScan {
  /**
   * Scans `bytes` from where the last call ended up to `to`. Throws `RangeError` for a body that is too much to parse.
   */
  feed(bytes: Uint8Array, to: number): void
  /** Those of the top level's `ops` that are objects. */
  readonly ops: readonly OpSpan[]
}

/** Outside of its payload an op has some thirty values and marks between them. */
const outerValuesPerOp = 50
const outerValuesBesides = 10_000

const [quote, comma, colon, escape] = [0x22, 0x2c, 0x3a, 0x5c] as const
const [openArray, closeArray, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d] as const

/** Makes the scan of one body that may hold `maxOps` ops. */
export function createJsonScan(maxOps: number): JsonScan {
  const ops: OpSpan[] = []
  const maxOuterValues = maxOps * outerValuesPerOp + outerValuesBesides
  let at = 0
  let depth = 0
  let values = 0
  let inString = false
  let isEscaped = false
  /** Of the last string: it is a key where a colon follows. */
  let [textStart, textEnd] = [0, 0]
  /** After the key `ops` of the top level, until its value ends. */
  let isOps = false
  let inOps = false
  let opStart = -1
  let payloadStart = -1
  let payloadEnd = -1
  let payloadValues = 0

  function count() {
    if (payloadStart >= 0 && payloadEnd < 0) payloadValues++
    else if (++values > maxOuterValues) throw new RangeError(`More than ${maxOuterValues} values outside of payloads`)
  }

  function open(byte: number) {
    count()
    if (++depth > maxJsonDepth) throw new RangeError(`Nested deeper than ${maxJsonDepth} levels`)
    if (depth === 2) inOps = isOps && byte === openArray
    else if (depth === 3 && inOps && byte === openObject) {
      if (ops.length >= maxOps) throw new RangeError(`ops: at most ${maxOps} in one push`)
      opStart = at
      payloadStart = payloadEnd = -1
      payloadValues = 0
    }
  }

  function close() {
    if (depth === 3 && opStart >= 0) {
      endPayload()
      const isTooLarge = payloadValues > maxPayloadBytes
      ops.push({ start: opStart, end: at + 1, payload: isTooLarge ? { start: payloadStart, end: payloadEnd } : null })
      opStart = payloadStart = -1
    }
    else if (depth === 2) inOps = false
    if (depth > 0) depth--
  }

  function endPayload() {
    if (payloadStart >= 0 && payloadEnd < 0) payloadEnd = at
  }

  function startValue(bytes: Uint8Array) {
    if (depth === 1) isOps = isKey(bytes, textStart, textEnd, 'ops')
    else if (depth === 3 && opStart >= 0 && isKey(bytes, textStart, textEnd, 'payload')) {
      if (payloadStart >= 0) throw new RangeError('An op has two payloads')
      payloadStart = at + 1
    }
  }

  return {
    ops,
    feed(bytes, to) {
      for (; at < to; at++) {
        const byte = bytes[at]!
        if (inString) {
          if (isEscaped) isEscaped = false
          else if (byte === escape) isEscaped = true
          else if (byte === quote) {
            inString = false
            textEnd = at
          }
          continue
        }
        switch (byte) {
          case quote:
            inString = true
            textStart = at + 1
            break
          case openArray: case openObject:
            open(byte)
            break
          case closeArray: case closeObject:
            close()
            break
          case comma:
            if (depth === 3) endPayload()
            else if (depth === 1) isOps = false
            count()
            break
          case colon:
            count()
            startValue(bytes)
        }
      }
    },
  }
}

function isKey(bytes: Uint8Array, start: number, end: number, key: string): boolean {
  if (end - start !== key.length) return false
  for (let index = 0; index < key.length; index++) {
    if (bytes[start + index] !== key.charCodeAt(index)) return false
  }
  return true
}
