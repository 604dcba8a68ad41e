/** A synced table of the app's own, beside the seven chat tables of the layer. */
import { registerSyncedTable } from '#or3-sync'
import { notes } from '../../shared/tables.ts'

export default defineNitroPlugin(() => {
  registerSyncedTable(notes)
})
