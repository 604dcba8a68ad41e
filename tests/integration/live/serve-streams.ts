/** Live streams on a real engine and HTTP server, with rights that a test takes away, and feeds that it breaks. */
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { createSyncError } from '../../../server/errors.ts'
import { createLiveFigures } from '../../../server/http/live/figures.ts'
import { createLiveListeners, type LiveFeeds } from '../../../server/http/live/listeners.ts'
import { createLiveStream, type LiveStream } from '../../../server/http/live/stream.ts'
import { createFeed } from '../../../server/lib/feed.ts'
import { createUserCaller } from '../../../server/sync/caller.ts'
import type { RightsChange } from '../../../server/workspaces/rights-changes.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { engineOf } from '../../helpers/engine.ts'
import { readLive } from '../../helpers/live-stream.ts'
import { putOf, workspaceId } from '../../helpers/sync.ts'

export interface ServeOptions {
  /** Takes the place of the real feed of changed rights. */
  onRightsChange?: LiveFeeds['onRightsChange']
  /** ISO 8601. */
  expiresAt?: string
}

export async function serveStreams(options: ServeOptions = {}) {
  const database = await openTestDatabase()
  const engine = engineOf(database)
  const rightsChanges = createFeed<RightsChange>('rights')
  const figures = createLiveFigures()
  const listeners = createLiveListeners({
    onCommit: engine.onCommit, onRightsChange: options.onRightsChange ?? rightsChanges.listen,
  })
  const streams: LiveStream[] = []
  const responses: ServerResponse[] = []
  let readRights = async () => {}
  const server = createServer(async (request, response) => {
    const userId = request.headers['x-user'] as string
    let remove = () => {}
    const stream = createLiveStream({
      response, userId, workspaceId, key: undefined, figures, random: () => 0.5,
      async readRights() {
        await readRights()
        return { expiresAt: options.expiresAt }
      },
      onClose: () => remove(),
    })
    remove = listeners.add(stream)
    streams.push(stream)
    responses.push(response)
    await stream.open(() => engine.readHead(createUserCaller(workspaceId, userId))).catch(() => {
      remove()
      response.writeHead(403).end()
    })
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    database, engine, figures, listeners, origin, responses, rightsChanges, streams,
    /** What a check of rights waits for, or throws, from now on. */
    setRights: (read: () => Promise<void>) => void (readRights = read),
    forbid: () => void (readRights = () => Promise.reject(createSyncError('FORBIDDEN', 'Not any more.'))),
    async open(as = 'ann') {
      const stream = await readLive(origin, {}, { 'x-user': as })
      onTestFinished(stream.close)
      await stream.next(({ type }) => type === 'hello')
      return { stream, server: streams.at(-1)! }
    },
    async push(as = 'ann') {
      const caller = createUserCaller(workspaceId, as)
      const ops = [putOf(`row-${Math.random()}`)]
      return (await engine.push(caller, { scope: { workspaceId }, ops })).serverVersion
    },
  }
}
