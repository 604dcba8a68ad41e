/**
 * Turns one key of the old database into its history here: its log rows as they were, one more where the old clean-up
 * had dropped that of the current state, and the winner of them all. A state never beats the log row it came from;
 * where they differ, the greater revision counts, as for every later op. Pure. Upholds P4 and P6 for what is imported.
 */
import { createHash } from 'node:crypto'
import { parseJson } from '../../shared/parse-json.ts'
import type { Revision, SyncOperation } from '../../shared/protocol.ts'
import { compareRevisions } from '../../shared/revision.ts'
import { findSyncedTable } from '../../server/sync/tables.ts'
import type { OldChange, OldKey, OldRow, OldTombstone } from './old-rows.ts'
import type { Unplaced } from './versions.ts'

export interface NewChange extends Revision {
  version: number
  tableName: string
  pk: string
  op: SyncOperation
  payload: string | null
  deviceId: string
  ownerUserId: string | null
  obsoletes: number | null
  createdAt: number
}

export interface KeyHistory {
  /** In version order; empty where nothing of the key can be read. */
  changes: NewChange[]
  winner: NewChange | undefined
  /** Log rows made for a state that had none. */
  restored: number
  /** Log rows whose op id was no UUID. */
  opIdsReplaced: number
  /** What cannot be used: a payload that is no JSON object. */
  unreadable: string[]
  /** How many of those are log rows. */
  unreadableChanges: number
}

/** The log row a change becomes; its version where it keeps its own. */
type Draft = Omit<NewChange, 'version' | 'obsoletes' | 'ownerUserId'>
  & { version: number | null, wanted?: number | undefined }

/**
 * `place` gives a version to what has none of its own; `isOpFree` says whether no log row of the workspace has this
 * op id.
 */
export function buildHistory(
  key: OldKey,
  place: (change: Unplaced) => number,
  isOpFree: (opId: string) => boolean = () => true,
): KeyHistory {
  const unreadable: string[] = []
  let opIdsReplaced = 0
  const drafts = key.log.flatMap((change) => {
    const wrong = findWrong(change.op, change.payload)
    if (wrong) unreadable.push(`${key.tableName} ${key.pk} (version ${change.version ?? '?'}): ${wrong}`)
    if (wrong) return []
    if (!isUuid(change.opId)) opIdsReplaced++
    return [draftOf(key, change)]
  })
  const unreadableChanges = unreadable.length
  const state = stateOf(key)
  const wrong = state && findWrong(state.op, state.payload)
  if (wrong) unreadable.push(`${key.tableName} ${key.pk}: ${wrong}`)
  const restored = state && !wrong && !drafts.some(draft => isAtLeast(draft, state))
  if (restored) {
    drafts.push({ ...state, opId: isUuid(state.opId) && isOpFree(state.opId) ? state.opId : makeOpId(key, state) })
  }
  return { ...replay(key, drafts, place), restored: restored ? 1 : 0, opIdsReplaced, unreadable, unreadableChanges }
}

/** The key's state apart from its log, as the old server showed it to a device that loads everything. */
function stateOf(key: OldKey): Draft | undefined {
  const { row } = key
  const tombstone = key.tombstones.toSorted((a, b) => compareRevisions(a, b) || a.version - b.version).at(-1)
  if (!row) return tombstone && toDelete(key, tombstone)
  if (row.deleted === 0) return tombstone && isGreater(tombstone, row) ? toDelete(key, tombstone) : toPut(key, row)
  if (tombstone && tombstone.clock >= row.clock) {
    return toDelete(key, { ...tombstone, ...revisionOf(isGreater(row, tombstone) ? row : tombstone) })
  }
  // Its tombstone was cleaned up, or it was a put that says `deleted`.
  return isWholeRow(row, key.tableName) ? toPut(key, row) : { ...toPut(key, row), op: 'delete', payload: null }
}

function toPut(key: OldKey, row: OldRow): Draft {
  return {
    ...revisionOf(row), version: null, tableName: key.tableName, pk: key.pk, op: 'put', payload: row.data,
    deviceId: row.deviceId || restoredBy, createdAt: row.updatedAt,
  }
}

function toDelete(key: OldKey, tombstone: OldTombstone): Draft {
  return {
    ...revisionOf(tombstone), version: null, wanted: tombstone.version,
    tableName: key.tableName, pk: key.pk, op: 'delete', payload: null,
    deviceId: key.row?.deviceId || restoredBy, createdAt: tombstone.deletedAt,
  }
}

/** Where no device is known. */
const restoredBy = 'import'

function draftOf(key: OldKey, change: OldChange): Draft {
  return {
    ...revisionOf(change),
    opId: isUuid(change.opId) ? change.opId : makeOpId(key, change),
    version: change.version, tableName: key.tableName, pk: key.pk,
    op: change.op as SyncOperation, payload: change.payload,
    deviceId: change.deviceId || restoredBy, createdAt: change.createdAt,
  }
}

/** A deleted row as a put left it has more than a delete's fields. */
function isWholeRow(row: OldRow, tableName: string): boolean {
  const payload = readObject(row.data)
  const fieldsOfDelete = new Set(['deleted', 'deleted_at', 'id', findSyncedTable(tableName)?.primaryKey])
  return payload?.['deleted'] === true && Object.keys(payload).some(field => !fieldsOfDelete.has(field))
}

/** Takes the changes in version order, as if each were pushed now. */
function replay(
  key: OldKey,
  drafts: Draft[],
  place: (change: Unplaced) => number,
): Pick<KeyHistory, 'changes' | 'winner'> {
  const ownerUserId = findOwner(key)
  const changes = drafts
    .map(({ wanted, ...draft }): NewChange => ({
      ...draft, ownerUserId, obsoletes: null, version: draft.version ?? place({ ...draft, wanted }),
    }))
    .sort((a, b) => a.version - b.version)
  let winner: NewChange | undefined
  for (const change of changes) {
    const isApplied = !winner || compareRevisions(change, winner) > 0
    change.obsoletes = isApplied ? winner?.version ?? null : change.version
    if (isApplied) winner = change
  }
  return { changes, winner }
}

/** The one user who may see the key; a delete does not say, so any of its payloads may. */
function findOwner({ tableName, row, log }: OldKey): string | null {
  const ownerKey = findSyncedTable(tableName)?.ownerKey
  if (ownerKey === undefined) return null
  const owners = [row?.data, ...log.map(change => change.payload)].map(payload => readObject(payload)?.[ownerKey])
  return owners.find(owner => typeof owner === 'string') ?? null
}

/** The reason why a change cannot be used; undefined where it can. */
export function findWrong(op: string, payload: string | null): string | undefined {
  if (op !== 'put' && op !== 'delete') return `the op is ${JSON.stringify(op)}`
  if (op === 'delete' && payload === null) return undefined
  return readObject(payload) ? undefined : 'the payload is no JSON object'
}

function readObject(payload: string | null | undefined): Record<string, unknown> | undefined {
  try {
    const value = parseJson(payload ?? 'null')
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? value as Record<string, unknown>
      : undefined
  }
  catch {
    return undefined
  }
}

function revisionOf({ clock, hlc, opId }: Revision): Revision {
  return { clock, hlc, opId }
}

/** A state of an old revision has no op id, or a made-up one. Then clock and hlc alone identify its change. */
function isAtLeast(change: Revision, state: Revision): boolean {
  return !isGreater(state, change)
}

function isGreater(a: Revision, b: Revision): boolean {
  const bothKnown = isUuid(a.opId) && isUuid(b.opId)
  return compareRevisions({ ...a, opId: bothKnown ? a.opId : '' }, { ...b, opId: bothKnown ? b.opId : '' }) > 0
}

/** As every client writes it. One in capital letters could collide with the same in small letters. */
function isUuid(opId: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(opId)
}

/** A version 8 UUID made of the op's content, so that every import makes the same. */
function makeOpId({ workspaceId, tableName, pk }: OldKey, { clock, hlc, opId }: Revision): string {
  const hex = createHash('sha256').update(JSON.stringify([workspaceId, tableName, pk, clock, hlc, opId])).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-9${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
