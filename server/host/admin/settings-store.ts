/** A host's settings of a workspace: text under a key. Plugin switches and guest access are among them. */
import { and, eq } from 'drizzle-orm'
import { isId, isStorable } from '../../lib/storable-text.ts'
import { nowSeconds } from '../../lib/clock.ts'
import type { SyncDatabase } from '../../database/types.ts'
import { workspaceSettings } from '../../database/schema/index.ts'
import { createSyncError } from '../../errors.ts'
import type { WorkspaceSettingsStore } from './types.ts'

/** Enough for all settings of a plugin, which are one value; too little for a file. */
const maxValueLength = 1_048_576

/** Makes the store. `set` throws INVALID_REQUEST for an unusable key or value. */
export function createWorkspaceSettingsStore(database: () => Promise<SyncDatabase>): WorkspaceSettingsStore {
  return {
    async get(workspaceId, key) {
      const { read } = await database()
      const row = await read.select({ value: workspaceSettings.value }).from(workspaceSettings)
        .where(and(eq(workspaceSettings.workspaceId, workspaceId), eq(workspaceSettings.key, key))).get()
      return row?.value ?? null
    },
    async set(workspaceId, key, value) {
      if (!isId(workspaceId) || !isId(key)) {
        throw createSyncError('INVALID_REQUEST', 'A setting\'s workspace and key have 1 to 256 well-formed characters.')
      }
      if (value.length > maxValueLength || !isStorable(value)) {
        const message = `A setting's value has at most ${maxValueLength} well-formed characters.`
        throw createSyncError('INVALID_REQUEST', message)
      }
      const updatedAt = nowSeconds()
      const target = [workspaceSettings.workspaceId, workspaceSettings.key]
      const { write } = await database()
      await write(tx => tx.insert(workspaceSettings).values({ workspaceId, key, value, updatedAt })
        .onConflictDoUpdate({ target, set: { value, updatedAt } }))
    },
  }
}
