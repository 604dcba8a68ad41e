/**
 * Reads a chat export (`{ format: 'or3-chat-export', version: 1, ops }`) into ops that a device can take.
 * An export names its reader `$me`: notifications belong to whoever imports them.
 */
import type { JsonObject, PendingOp } from '../../shared/protocol.ts'

/** Throws with one clear sentence when the file is something else. */
export function readChatExport(file: unknown, userId: string): PendingOp[] {
  const { format, version, ops } = (file ?? {}) as { format?: unknown, version?: unknown, ops?: unknown }
  if (format !== 'or3-chat-export') throw new Error('This file is not a chat export.')
  if (version !== 1) throw new Error(`This chat export has version ${String(version)}; only version 1 can be read.`)
  if (!Array.isArray(ops)) throw new Error('This chat export holds no list of ops.')
  const bad = ops.findIndex(op => !isOp(op))
  if (bad >= 0) throw new Error(`Op ${bad + 1} of this chat export is not in the wire format.`)
  return (ops as PendingOp[]).map((op) => {
    const payload = op.payload as JsonObject | undefined
    return payload?.['user_id'] === '$me' ? { ...op, payload: { ...payload, user_id: userId } } : op
  })
}

function isOp(value: unknown): value is PendingOp {
  const op = (value ?? {}) as Partial<PendingOp>
  const stamp = (op.stamp ?? {}) as Partial<PendingOp['stamp']>
  return (
    [op.id, op.tableName, op.pk, stamp.opId, stamp.hlc, stamp.deviceId].every(text => typeof text === 'string')
    && (op.operation === 'put' || op.operation === 'delete')
    && typeof stamp.clock === 'number'
  )
}
