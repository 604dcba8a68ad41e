import { setResponseHeader } from 'h3'
import { defineHandler } from '../../http/errors.ts'
import { openLiveStream } from '../../http/live/live.ts'

/** Server-sent events with one workspace's head: `?workspaceId=…`. What has changed comes by a pull. */
export default defineHandler(async (event) => {
  setResponseHeader(event, 'Cache-Control', 'no-store')
  await openLiveStream(event)
})
