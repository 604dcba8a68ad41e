/**
 * The cursor of each device of each user: the version up to which it has pulled. Clean-up keeps what a living device
 * has not pulled, so a cursor only moves forward and never beyond the head. The same device id of two users is two
 * devices.
 */
import { and, eq, sql } from 'drizzle-orm'
import { readSyncSettings } from '../config/sync.ts'
import type { SyncDatabase, WriteTransaction } from '../database/types.ts'
import { countLimited } from '../lib/limit-counts.ts'
import { deviceCursors, logs } from '../database/schema/index.ts'
import { createSyncError } from '../errors.ts'
import { assertScope, type UserCaller } from './caller.ts'
import type { UpdateCursorRequest } from '../../shared/protocol.ts'
import { isId } from '../lib/storable-text.ts'
import { maxIdLength } from '../../shared/limits.ts'
import { updateCursorRequest } from '../../shared/shapes.ts'
import { parseRequest } from '../lib/parse-request.ts'

/** The device id as cursors store it: trimmed. A stamp keeps it as the device wrote it. */
export function cursorNameOf(deviceId: string): string {
  return deviceId.trim()
}

/**
 * Stores a device's cursor. A user has at most `maxDevicesPerUser` of them in a workspace: the one that was silent
 * longest goes when another comes. Throws INVALID_REQUEST beyond the head, CURSOR_REGRESSED for a cursor that goes
 * back.
 */
export async function updateCursor(
  database: SyncDatabase, caller: UserCaller, request: UpdateCursorRequest,
): Promise<void> {
  const { scope, deviceId: given, version } = parseRequest(updateCursorRequest, request, 'Invalid cursor update')
  assertScope(caller, scope)
  const { workspaceId, userId } = caller
  const deviceId = cursorNameOf(given)
  if (!isId(deviceId)) {
    throw createSyncError(
      'INVALID_REQUEST', `Invalid cursor update: deviceId: must have 1 to ${maxIdLength} characters`,
    )
  }

  await database.write(async (tx) => {
    const [counter] = await tx.select({ head: logs.head }).from(logs).where(eq(logs.workspaceId, workspaceId))
    const head = counter?.head ?? 0
    if (version > head) {
      throw createSyncError('INVALID_REQUEST', `Invalid cursor update: version: ${version} is beyond the head ${head}`)
    }
    const ofUser = and(eq(deviceCursors.workspaceId, workspaceId), eq(deviceCursors.userId, userId))
    const [known] = await tx.select().from(deviceCursors).where(and(ofUser, eq(deviceCursors.deviceId, deviceId)))
    // After an older backup was restored the stored cursor may be beyond the head: it counts for nothing then.
    if (known && known.cursor <= head && version < known.cursor) {
      throw createSyncError(
        'CURSOR_REGRESSED', `The cursor of this device is at ${known.cursor} and does not go back to ${version}`,
      )
    }
    if (!known) await dropSilent(tx, caller)
    await tx.insert(deviceCursors)
      .values({
        workspaceId, deviceId, userId, cursor: version, updatedAt: sql`coalesce(${database.now()}, unixepoch())`,
      })
      .onConflictDoUpdate({
        target: [deviceCursors.workspaceId, deviceCursors.userId, deviceCursors.deviceId],
        set: { cursor: sql`excluded.cursor`, updatedAt: sql`excluded.updated_at` },
      })
  })
}

/** Deletes the user's cursors that were silent longest, so that one more fits. */
async function dropSilent(tx: WriteTransaction, { workspaceId, userId }: UserCaller): Promise<void> {
  const kept = Math.max(0, readSyncSettings().maxDevicesPerUser - 1)
  const { rowsAffected } = await tx.run(sql`
    delete from device_cursors where workspace_id = ${workspaceId} and user_id = ${userId} and device_id in (
      select device_id from device_cursors where workspace_id = ${workspaceId} and user_id = ${userId}
      order by updated_at desc, cursor desc limit -1 offset ${kept})`)
  if (rowsAffected > 0) countLimited('device-cursors')
}
