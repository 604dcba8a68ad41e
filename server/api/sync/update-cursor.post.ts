import { defineSyncHandler } from '../../sync/endpoint.ts'
import { updateCursor } from '../../sync/cursors.ts'

export default defineSyncHandler('update-cursor', 'workspace.read', async (database, event, body) => {
  await updateCursor(database, event, body)
  return { ok: true }
})
