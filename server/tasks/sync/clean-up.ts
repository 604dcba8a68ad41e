/**
 * Cleans up all workspaces; one setting switches it off. The log names a workspace that failed, the result does not.
 */
import { consola } from 'consola'
import { defineTask } from 'nitropack/runtime'
import { useSyncEngine } from '../../layer.ts'
import { readOpsSettings } from '../../config/operations.ts'

export default defineTask({
  meta: { name: 'sync:clean-up', description: 'Drops history that was superseded long ago and behind every device' },
  async run(): Promise<{ result: object }> {
    const { cleanUp, retentionSeconds } = readOpsSettings()
    if (!cleanUp) return { result: { state: 'off' } }
    const { failures, ...done } = await (await useSyncEngine()).cleanAllWorkspaces({ retentionSeconds })
    for (const { workspaceId, error } of failures) {
      consola.withTag('or3-sync').error(`The clean-up of workspace ${workspaceId} failed:`, error)
    }
    return { result: { ...done, failures: failures.length } }
  },
})
