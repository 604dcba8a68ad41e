/** Ops of which each has one thing wrong that can never be right, and what their receipts say. */
import { parseJson } from '../../shared/parse-json.ts'
import type { PendingOp } from '../../shared/protocol.ts'
import { deleteOf, messageOf, payloads, putOf } from '../helpers/sync.ts'

type WrongOp = [name: string, op: PendingOp, errorCode: string, error: RegExp]

export function wrongOps(): WrongOp[] {
  const wrong = (name: string, op: PendingOp, error: RegExp, errorCode = 'VALIDATION_ERROR'): WrongOp => [name, op, errorCode, error]
  const deep = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels))
  return [
    wrong('an unknown table', putOf('a', { tableName: 'secrets' }), /secrets/),
    wrong('a table of every object', putOf('a', { tableName: '__proto__' }), /__proto__/),
    wrong('no payload', { ...putOf('a'), payload: undefined }, /^Invalid payload for messages/),
    wrong('a payload that is no object', putOf('a', { payload: [] }), /^Invalid payload for messages/),
    wrong('a number as the payload of a delete', deleteOf('a', { payload: 1 }), /^Invalid payload for messages: it must be an object/),
    // Seen red: what holds the digits of such a number is an object to JavaScript.
    wrong('a number that no double holds as the payload of a delete', deleteOf('a', { payload: (parseJson('[1e400]') as unknown[])[0] }), /^Invalid payload for messages: it must be an object/),
    wrong('a missing field', putOf('a', { payload: { ...messageOf('a'), thread_id: undefined } }), /^Invalid payload for messages: thread_id/),
    wrong('a field of another type', putOf('a', { payload: messageOf('a', { index: '0' }) }), /^Invalid payload for messages: index/),
    wrong('an id that is not the pk', putOf('a', { payload: messageOf('b') }), /^Invalid payload for messages: id/),
    wrong('a hash that is not the pk', putOf('a', { tableName: 'file_meta', payload: payloads.file_meta('b') }), /hash/),
    wrong('another workspace', putOf('a', { payload: messageOf('a', { workspace_id: 'workspace-2' }) }), /workspace_id/),
    wrong('another workspace of a delete', deleteOf('a', { payload: { id: 'a', workspace_id: 'workspace-2' } }), /workspace_id/),
    wrong('an empty pk', putOf('', { payload: messageOf('') }), /pk/),
    wrong('a pk with NUL', putOf('a\0b', { payload: messageOf('a\0b') }), /pk/),
    wrong('a pk with half an emoji', putOf('a\uD83D', { payload: messageOf('a\uD83D') }), /pk/),
    wrong('a long pk', putOf('x'.repeat(1025), { payload: messageOf('x'.repeat(1025)) }), /pk/),
    wrong('a device id with NUL', putOf('a', { stamp: { deviceId: 'a\0' } }), /deviceId/),
    wrong('an empty device id', putOf('a', { stamp: { deviceId: '' } }), /deviceId/),
    wrong('an op id that is no UUID', putOf('a', { stamp: { opId: 'op-1' } }), /UUID/),
    wrong('an hlc with NUL', putOf('a', { stamp: { hlc: '\0' } }), /hlc/),
    wrong('a long hlc', putOf('a', { stamp: { hlc: 'x'.repeat(513) } }), /hlc/),
    wrong('a clock below 0', putOf('a', { stamp: { clock: -1 } }), /clock/),
    wrong('a clock between integers', putOf('a', { stamp: { clock: 1.5 } }), /clock/),
    wrong('a clock that would win for ever', putOf('a', { stamp: { clock: 2 ** 53 - 1 } }), /clock/),
    wrong('a clock just out of range', putOf('a', { stamp: { clock: 2 ** 32 } }), /clock/),
    wrong('a payload of more than 256 KiB', putOf('a', { payload: messageOf('a', { data: 'x'.repeat(262_144) }) }), /^Payload too large for messages: exceeds 262144 bytes$/, 'OVERSIZED'),
    wrong('256 KiB in fewer characters', putOf('a', { payload: messageOf('a', { data: '€'.repeat(90_000) }) }), /^Payload too large for messages/, 'OVERSIZED'),
    wrong('a payload nested too deeply', putOf('a', { payload: messageOf('a', { data: deep(256) }) }), /nested deeper than 256/),
    wrong('somebody else\'s notification', putOf('a', { tableName: 'notifications', payload: payloads.notifications('a', { user_id: 'user-2' }) }), /user/, 'UNAUTHORIZED'),
  ]
}
