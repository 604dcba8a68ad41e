/**
 * How much a workspace and its owners may keep, in bytes and rows of the log. The counters stand beside the head and
 * move in the same statement. Between two reads they are kept in memory, for one process owns the data. Upholds P15.
 */
import { sql } from 'drizzle-orm'
import { readSyncSettings } from '../config/sync.ts'
import { compileSql, readRows } from '../database/statement.ts'
import type { SyncDatabase } from '../database/types.ts'

export interface Usage { bytes: number, rows: number }

/** What may still be written. Deletes may go on into the reserve, so that a full workspace can be emptied. */
export interface Left extends Usage { reserve: Usage }

export interface WorkspaceUsage extends Usage { maxBytes: number, maxRows: number }

export interface Quotas {
  /** Reads what is used where that is not known or old; to be awaited before `left`. */
  prepare(workspaceId: string): Promise<void> | undefined
  left(workspaceId: string): Left
  /** Counts what a push wrote. */
  spend(workspaceId: string, used: Usage): void
  /** What the workspace has used of what it may: its own quota, or its owner's where that ends first. */
  read(workspaceId: string): Promise<WorkspaceUsage>
}

interface Known extends Usage { readAt: number, owners: string[] }

/** Stamp, ids and index entries of a change, beside its texts. */
const bytesPerChange = 200
/** Of a quota, for deletes alone. */
const deleteShare = 0.1
/** Clean-up and other workspaces of an owner are seen after this long. */
const freshMs = 30_000
const maxKnown = 10_000

/** What a change takes of the quota, in bytes. */
export function weighChange(change: { payload: string | null, pk: string, hlc: string, deviceId: string }): number {
  const { payload, pk, hlc, deviceId } = change
  return bytesPerChange + (payload === null ? 0 : Buffer.byteLength(payload))
    + Buffer.byteLength(pk) + Buffer.byteLength(hlc) + Buffer.byteLength(deviceId)
}

/** The same in SQL, of a row of `changes`. */
export const changeBytes = sql.raw(`${bytesPerChange} + coalesce(octet_length(payload), 0) + octet_length(pk)
  + octet_length(hlc) + octet_length(device_id)`)

/** Makes the quotas of one engine. */
export function createQuotas(database: SyncDatabase): Quotas {
  const workspaces = new Map<string, Known>()
  const owners = new Map<string, Usage>()

  async function load(workspaceId: string): Promise<void> {
    const [row] = await readRows(database.read.$client, selectUsage({ workspaceId }))
    const used = JSON.parse(row!.owners) as [userId: string, bytes: number, rows: number][]
    if (workspaces.size >= maxKnown) workspaces.clear()
    if (owners.size >= maxKnown) owners.clear()
    for (const [userId, bytes, rows] of used) owners.set(userId, { bytes, rows })
    workspaces.set(workspaceId, {
      bytes: row!.bytes, rows: row!.rows, owners: used.map(([userId]) => userId), readAt: performance.now(),
    })
  }

  return {
    prepare(workspaceId) {
      const known = workspaces.get(workspaceId)
      return known && performance.now() - known.readAt < freshMs ? undefined : load(workspaceId)
    },
    left(workspaceId) {
      const { maxWorkspaceBytes, maxWorkspaceRows, maxOwnerBytes, maxOwnerRows } = readSyncSettings()
      const known = workspaces.get(workspaceId)
      const left = {
        bytes: maxWorkspaceBytes - (known?.bytes ?? 0),
        rows: maxWorkspaceRows - (known?.rows ?? 0),
        reserve: { bytes: maxWorkspaceBytes * deleteShare, rows: maxWorkspaceRows * deleteShare },
      }
      // Any owner with space left suffices: a member who is full elsewhere cannot block the others.
      const spaces = (known?.owners ?? []).flatMap(id => owners.get(id) ?? [])
      if (spaces.length === 0) return left
      const bytes = Math.max(...spaces.map(used => maxOwnerBytes - used.bytes))
      const rows = Math.max(...spaces.map(used => maxOwnerRows - used.rows))
      return { ...left, bytes: Math.min(left.bytes, bytes), rows: Math.min(left.rows, rows) }
    },
    spend(workspaceId, used) {
      const known = workspaces.get(workspaceId)
      if (!known) return
      for (const one of [known, ...known.owners.flatMap(id => owners.get(id) ?? [])]) {
        one.bytes += used.bytes
        one.rows += used.rows
      }
    },
    async read(workspaceId) {
      await this.prepare(workspaceId)
      const left = this.left(workspaceId)
      const { bytes = 0, rows = 0 } = workspaces.get(workspaceId) ?? {}
      return { bytes, rows, maxBytes: Math.max(0, bytes + left.bytes), maxRows: Math.max(0, rows + left.rows) }
    },
  }
}

/** Deleted workspaces count until they are purged: deleting and filling anew must not fill the disk. */
const selectUsage = compileSql<{ workspaceId: string }, Usage & { owners: string }>(value => sql`
  select
    coalesce((select used_bytes from logs where workspace_id = ${value('workspaceId')}), 0) as bytes,
    coalesce((select used_rows from logs where workspace_id = ${value('workspaceId')}), 0) as rows,
    (select json_group_array(json_array(owner.user_id, (${ofOwner('used_bytes')}), (${ofOwner('used_rows')})))
      from (
        select user_id from workspace_members
        where workspace_id = ${value('workspaceId')} and role = 'owner' limit 16) owner) as owners
  limit 1`)

function ofOwner(column: string) {
  return sql.raw(`
    select coalesce(sum(l.${column}), 0) from workspace_members m cross join logs l on l.workspace_id = m.workspace_id
    where m.user_id = owner.user_id and m.role = 'owner'`)
}
