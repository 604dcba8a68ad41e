/** A synced table of the app's own, beside the seven chat tables of the layer. */
import { registerSyncedTable } from '#or3-sync'
import { z } from 'zod'

export default defineNitroPlugin(() => {
  registerSyncedTable('notes', {
    primaryKey: 'id',
    schema: z.looseObject({
      id: z.string().min(1),
      text: z.string().max(10_000),
      done: z.boolean(),
      created_at: z.number(),
      updated_at: z.number(),
      clock: z.number().int().nonnegative(),
    }),
  })
})
