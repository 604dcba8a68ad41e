/**
 * How far each device has pulled. A cursor holds history back for its device, so it only moves forward, never beyond
 * the head, and belongs to the user who first reported it.
 */
import { and, eq, sql } from 'drizzle-orm'
import type { H3Event } from 'h3'
import type { SyncDatabase } from '../db/open.ts'
import { deviceCursors, logs } from '../db/schema/index.ts'
import { fail } from '../errors.ts'
import { identifyCaller } from './caller.ts'
import { nowSeconds } from '../clock.ts'
import type { UpdateCursorRequest } from './gateway/types.ts'
import { isCleanText } from './json.ts'
import { maxIdLength } from './limits.ts'
import { parseRequest, updateCursorRequest } from './wire.ts'

/** What the cursor of a device is kept under: a stamp may hold the id as the device wrote it. */
export function cursorNameOf(deviceId: string): string {
  return deviceId.trim()
}

/** Throws 400 beyond the head, 401 without a user, 403 for another user's device, 409 going back. */
export async function updateCursor(database: SyncDatabase, event: H3Event, request: UpdateCursorRequest): Promise<void> {
  const { scope, deviceId: given, version } = parseRequest(updateCursorRequest, request, 'Invalid cursor update')
  const { workspaceId, userId } = identifyCaller(event, scope.workspaceId)
  const deviceId = cursorNameOf(given)
  if (deviceId === '' || deviceId.length > maxIdLength || !isCleanText(deviceId)) {
    throw fail('INVALID_REQUEST', `Invalid cursor update: deviceId: must have 1 to ${maxIdLength} characters`)
  }
  if (userId === null) throw fail('UNAUTHENTICATED', 'A device cursor belongs to a user: sign in first')

  await database.write(async (tx) => {
    const [counter] = await tx.select({ head: logs.head }).from(logs).where(eq(logs.workspaceId, workspaceId))
    const head = counter?.head ?? 0
    if (version > head) throw fail('INVALID_REQUEST', `Invalid cursor update: version: ${version} is beyond the head ${head}`)
    const ofDevice = and(eq(deviceCursors.workspaceId, workspaceId), eq(deviceCursors.deviceId, deviceId))
    const [known] = await tx.select().from(deviceCursors).where(ofDevice)
    if (known && known.userId !== userId) throw fail('FORBIDDEN', 'The device belongs to another user')
    // After an older backup was restored the stored cursor may be beyond the head: it counts for nothing then.
    if (known && known.cursor <= head && version < known.cursor) {
      throw fail('CURSOR_REGRESSED', `The cursor of this device is at ${known.cursor} and does not go back to ${version}`)
    }
    await tx.insert(deviceCursors)
      .values({ workspaceId, deviceId, userId, cursor: version, updatedAt: nowSeconds() })
      .onConflictDoUpdate({
        target: [deviceCursors.workspaceId, deviceCursors.deviceId],
        set: { cursor: sql`excluded.cursor`, updatedAt: sql`excluded.updated_at` },
      })
  })
}
