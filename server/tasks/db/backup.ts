/** Makes a verified copy of the database, beside the running server. */
import { defineTask } from 'nitropack/runtime'
import { useSyncDatabase } from '../../layer.ts'
import { backUp } from '../../operations/backup.ts'

export default defineTask({
  meta: { name: 'db:backup', description: 'Makes a verified copy of the database' },
  run: async () => ({ result: await backUp((await useSyncDatabase()).local) }),
})
