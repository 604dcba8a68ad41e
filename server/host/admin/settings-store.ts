/** Settings of a workspace as a host keeps them: text under a key, plugin switches and guest access among them. */
import { and, eq } from 'drizzle-orm'
import { isId, isStorable } from '../../workspaces/text.ts'
import { nowSeconds } from '../../lib/clock.ts'
import type { SyncDatabase } from '../../database/types.ts'
import { workspaceSettings } from '../../database/schema/index.ts'
import { createSyncError } from '../../errors.ts'
import type { WorkspaceSettingsStore } from './types.ts'

/** A plugin's settings are one value; a file is not a setting. */
const maxValueLength = 1_048_576

export function createWorkspaceSettingsStore(database: () => Promise<SyncDatabase>): WorkspaceSettingsStore {
  return {
    async get(workspaceId, key) {
      const { read } = await database()
      const row = await read.select({ value: workspaceSettings.value }).from(workspaceSettings)
        .where(and(eq(workspaceSettings.workspaceId, workspaceId), eq(workspaceSettings.key, key))).get()
      return row?.value ?? null
    },
    async set(workspaceId, key, value) {
      if (!isId(workspaceId) || !isId(key)) throw createSyncError('INVALID_REQUEST', 'A setting\'s workspace and key have 1 to 256 characters of well-formed text.')
      if (value.length > maxValueLength || !isStorable(value)) {
        throw createSyncError('INVALID_REQUEST', `A setting's value is at most ${maxValueLength} characters of well-formed text.`)
      }
      const updatedAt = nowSeconds()
      await (await database()).write(tx => tx.insert(workspaceSettings).values({ workspaceId, key, value, updatedAt })
        .onConflictDoUpdate({ target: [workspaceSettings.workspaceId, workspaceSettings.key], set: { value, updatedAt } }))
    },
  }
}
