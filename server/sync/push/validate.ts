/**
 * Validates each op by itself, without the database. An invalid op gets a refusal and its neighbours go on. A device
 * drops a refused op, so only an op that can never become valid is refused.
 */
import { checkRow } from '../../lib/check-shape.ts'
import { toNumber } from '../../../shared/parse-json.ts'
import type { OpRefusalCode } from '../../../shared/error-codes.ts'
import type { SyncOperation } from '../../../shared/protocol.ts'
import { isId, isStorable } from '../../lib/storable-text.ts'
import { isDeeperThan } from '../json.ts'
import {
  maxClock, maxHlcLength, maxIdLength, maxPayloadBytes, maxPayloadDepth, maxPkLength,
} from '../../../shared/limits.ts'
import { weighChange } from '../quota.ts'
import { findSyncedTable, type SyncedTable } from '../tables.ts'
import type { Caller } from '../caller.ts'

/** An op as a device sends it; its shape is checked already. */
export interface IncomingOp {
  tableName: string
  operation: SyncOperation
  pk: string
  payload?: unknown
  stamp: { deviceId: string, opId: string, hlc: string, clock: number }
}

/** Stands for a payload with more values than fit its limit, which was never parsed (http/parted-json.ts). */
export const oversizedPayload = Symbol('a payload that is too large to be parsed')

/** An op that may be written. */
export interface ValidOp {
  tableName: string
  operation: SyncOperation
  pk: string
  deviceId: string
  opId: string
  hlc: string
  clock: number
  /** The payload's JSON text, null where there is none. */
  payload: string | null
  /** The only user who may see the row; null where every member may. */
  ownerUserId: string | null
  /** What it takes of the quota. */
  bytes: number
}

export interface Refusal extends Wrong { opId: string }

interface Wrong { errorCode: OpRefusalCode, error: string }

/** True for an op that may be written. */
export function isValidOp(op: ValidOp | Refusal): op is ValidOp {
  return !('errorCode' in op)
}

/** The op ready to be written, or its refusal. */
export function validateOp(op: IncomingOp, caller: Caller): ValidOp | Refusal {
  const checked = checkOp(op, caller)
  return 'errorCode' in checked ? { opId: op.stamp.opId, ...checked } : checked
}

function checkOp(op: IncomingOp, caller: Caller): ValidOp | Wrong {
  const { deviceId, opId, hlc, clock } = op.stamp
  if (!uuid.test(opId)) return invalid('stamp.opId must be a UUID')
  if (!isId(op.pk, maxPkLength)) {
    return invalid(`pk must have 1 to ${maxPkLength} characters without NUL or lone surrogates`)
  }
  if (!isId(deviceId)) {
    return invalid(`stamp.deviceId must have 1 to ${maxIdLength} characters without NUL or lone surrogates`)
  }
  if (hlc.length > maxHlcLength || !isStorable(hlc)) {
    return invalid(`stamp.hlc must have at most ${maxHlcLength} characters without NUL or lone surrogates`)
  }
  if (!Number.isInteger(clock) || clock < 0 || clock > maxClock) {
    return invalid(`stamp.clock must be an integer from 0 to ${maxClock}`)
  }
  const table = findSyncedTable(op.tableName)
  if (!table) return invalid(`Unknown table: ${shorten(op.tableName)} is not synced`)

  if (op.payload === oversizedPayload) return oversized(table.name)
  const payload = op.operation === 'put' ? admitPut(op, table, caller) : admitDelete(op, caller)
  if (typeof payload === 'object' && payload !== null) return payload
  const ownerUserId = readOwner(op, table, caller)
  const bytes = weighChange({ payload, pk: op.pk, hlc, deviceId })
  return {
    tableName: op.tableName,
    operation: op.operation,
    pk: op.pk,
    deviceId,
    opId,
    hlc,
    clock,
    payload,
    ownerUserId,
    bytes,
  }
}

function admitPut(op: IncomingOp, table: SyncedTable, caller: Caller): string | Wrong {
  const wrong = (why: string) => invalid(`Invalid payload for ${table.name}: ${why}`)
  if (!isJsonObject(op.payload)) return wrong('it must be an object')
  const text = serializePayload(op.payload, table)
  if (typeof text === 'object') return text
  const mismatch = findMismatch(table, op.payload, text)
  if (mismatch !== undefined) return wrong(mismatch)
  if (op.payload[table.primaryKey] !== op.pk) return wrong(`${table.primaryKey} must equal pk`)
  if (isForeign(op.payload, caller)) return wrong('workspace_id must be absent or the workspace of the scope')
  if (table.ownerKey === undefined) return text
  const owner = op.payload[table.ownerKey]
  if (caller.kind === 'user' && owner !== caller.userId) {
    return { errorCode: 'UNAUTHORIZED', error: `${table.ownerKey} must be the signed-in user` }
  }
  return isId(owner) ? text : wrong(`${table.ownerKey} must be a user's id`)
}

/** Null also for a delete by the server's own code: then the owner stays who it is. */
function readOwner({ operation, payload }: IncomingOp, { ownerKey }: SyncedTable, caller: Caller): string | null {
  if (ownerKey === undefined) return null
  if (caller.kind === 'user') return caller.userId
  return operation === 'put' ? (payload as Record<string, string>)[ownerKey]! : null
}

function findMismatch({ schema }: SyncedTable, payload: unknown, text: string): string | undefined {
  if (!schema || checkRow(schema, payload) === undefined) return undefined
  // A number that no double can hold is kept as raw JSON. The schema sees the rounded number.
  return checkRow(schema, JSON.parse(text))
}

/** A delete's payload is not checked against the schema: clients send the key and `deleted_at`, or nothing. */
function admitDelete(op: IncomingOp, caller: Caller): string | null | Wrong {
  if (op.payload === undefined || op.payload === null) return null
  if (!isJsonObject(op.payload)) return invalid(`Invalid payload for ${op.tableName}: it must be an object or absent`)
  if (isForeign(op.payload, caller)) {
    return invalid(`Invalid payload for ${op.tableName}: workspace_id must be absent or the workspace of the scope`)
  }
  return serializePayload(op.payload, undefined, op.tableName)
}

function serializePayload(
  payload: Record<string, unknown>, table?: SyncedTable, tableName = table?.name,
): string | Wrong {
  if (isDeeperThan(payload, maxPayloadDepth)) {
    return invalid(`Invalid payload for ${tableName}: nested deeper than ${maxPayloadDepth} levels`)
  }
  const text = JSON.stringify(withoutDerivedKeys(payload, table?.derivedKeys))
  // A UTF-16 unit has at most three bytes, so most payloads need no exact count.
  if (text.length * 3 > maxPayloadBytes && Buffer.byteLength(text) > maxPayloadBytes) {
    return oversized(tableName)
  }
  return text
}

function oversized(tableName: string | undefined): Wrong {
  return { errorCode: 'OVERSIZED', error: `Payload too large for ${tableName}: exceeds ${maxPayloadBytes} bytes` }
}

function withoutDerivedKeys(payload: Record<string, unknown>, keys: readonly string[] = []): Record<string, unknown> {
  if (!keys.some(key => key in payload)) return payload
  return Object.fromEntries(Object.entries(payload).filter(([key]) => !keys.includes(key)))
}

function isForeign(payload: Record<string, unknown>, caller: Caller): boolean {
  return payload['workspace_id'] !== undefined
    && payload['workspace_id'] !== null
    && payload['workspace_id'] !== caller.workspaceId
}

function isJsonObject(value: unknown): value is Record<string, unknown> {
  // A number that no double can hold is an object too.
  return typeof value === 'object' && value !== null && !Array.isArray(value) && toNumber(value) === undefined
}

function invalid(error: string): Wrong {
  return { errorCode: 'VALIDATION_ERROR', error }
}

/** Quotes a client's text in an error, cut to 64 characters. */
function shorten(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
