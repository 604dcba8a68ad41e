/**
 * The cursor of each device: the version up to which it has pulled. Clean-up keeps what a living device has not pulled, so
 * a cursor only moves forward, never beyond the head, and belongs to the user who first reported it.
 */
import { and, eq, sql } from 'drizzle-orm'
import type { SyncDatabase } from '../database/types.ts'
import { deviceCursors, logs } from '../database/schema/index.ts'
import { createSyncError } from '../errors.ts'
import { assertScope, type UserCaller } from './caller.ts'
import { nowSeconds } from '../lib/clock.ts'
import type { UpdateCursorRequest } from '../../shared/protocol.ts'
import { isCleanText } from './json.ts'
import { maxIdLength } from '../../shared/limits.ts'
import { updateCursorRequest } from '../../shared/shapes.ts'
import { parseRequest } from '../lib/parse-request.ts'

/** The device id as cursors store it: trimmed. A stamp keeps it as the device wrote it. */
export function cursorNameOf(deviceId: string): string {
  return deviceId.trim()
}

/**
 * Stores a device's cursor. Throws INVALID_REQUEST beyond the head, FORBIDDEN for another user's device,
 * CURSOR_REGRESSED for a cursor that goes back.
 */
export async function updateCursor(database: SyncDatabase, caller: UserCaller, request: UpdateCursorRequest): Promise<void> {
  const { scope, deviceId: given, version } = parseRequest(updateCursorRequest, request, 'Invalid cursor update')
  assertScope(caller, scope)
  const { workspaceId, userId } = caller
  const deviceId = cursorNameOf(given)
  if (deviceId === '' || deviceId.length > maxIdLength || !isCleanText(deviceId)) {
    throw createSyncError('INVALID_REQUEST', `Invalid cursor update: deviceId: must have 1 to ${maxIdLength} characters`)
  }

  await database.write(async (tx) => {
    const [counter] = await tx.select({ head: logs.head }).from(logs).where(eq(logs.workspaceId, workspaceId))
    const head = counter?.head ?? 0
    if (version > head) throw createSyncError('INVALID_REQUEST', `Invalid cursor update: version: ${version} is beyond the head ${head}`)
    const ofDevice = and(eq(deviceCursors.workspaceId, workspaceId), eq(deviceCursors.deviceId, deviceId))
    const [known] = await tx.select().from(deviceCursors).where(ofDevice)
    if (known && known.userId !== userId) throw createSyncError('FORBIDDEN', 'The device belongs to another user')
    // After an older backup was restored the stored cursor may be beyond the head. Then it is ignored.
    if (known && known.cursor <= head && version < known.cursor) {
      throw createSyncError('CURSOR_REGRESSED', `The cursor of this device is at ${known.cursor} and does not go back to ${version}`)
    }
    await tx.insert(deviceCursors)
      .values({ workspaceId, deviceId, userId, cursor: version, updatedAt: nowSeconds() })
      .onConflictDoUpdate({
        target: [deviceCursors.workspaceId, deviceCursors.deviceId],
        set: { cursor: sql`excluded.cursor`, updatedAt: sql`excluded.updated_at` },
      })
  })
}
