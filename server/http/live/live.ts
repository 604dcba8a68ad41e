/** The live streams of this process, and how a request becomes one. */
import { ServerResponse } from 'node:http'
import { type H3Event, getQuery, setResponseHeader } from 'h3'
import { authorize, requireUser } from '../../auth/session.ts'
import { createSyncError, isSyncError } from '../../errors.ts'
import { useSyncEngine } from '../../layer.ts'
import { countLimited } from '../../lib/limit-counts.ts'
import { createUserCaller } from '../../sync/caller.ts'
import type { SyncEngine } from '../../sync/engine.ts'
import { type RightsChange, rightsChanges } from '../../workspaces/rights-changes.ts'
import { refuseForeignPage } from '../origin.ts'
import { countRequest } from '../rate-limit.ts'
import { releaseRequest } from '../request-end.ts'
import { createLiveFigures } from './figures.ts'
import { createLiveListeners, type LiveListener, type LiveListeners, retryLiveSeconds } from './listeners.ts'
import { createRightsReader } from './rights.ts'
import { createLiveStream } from './stream.ts'

/** What the metrics tell of live streams. */
export const liveFigures = createLiveFigures()

let listeners: LiveListeners | undefined
let listenersOf: SyncEngine | undefined

/** Those who listen to this engine. Another engine, as after a restart of the layer in one process, has its own. */
export function useLiveListeners(engine: SyncEngine): LiveListeners {
  if (listenersOf !== engine) {
    listenersOf = engine
    listeners = createLiveListeners({
      onCommit: engine.onCommit,
      onRightsChange: (listener: (change: RightsChange) => void) => rightsChanges.listen(listener),
    })
  }
  return listeners!
}

/** How many listen now. */
export function countLiveListeners(): number {
  return listeners?.size ?? 0
}

/** Before the server stops: nitro waits for open connections. The clients come back to the next server. */
export function closeLiveStreams(): void {
  listeners?.closeAll('restart')
}

/**
 * Runs `signOut`, then closes the live streams of the request's user, on all devices. Those that are still signed in
 * come back by themselves within seconds; the one that was signed out gets no hint any more.
 * @example await endSession(event, () => clearUserSession(event))
 */
export async function endSession(event: H3Event, signOut: () => unknown): Promise<void> {
  const { user } = await requireUser(event)
  await signOut()
  listeners?.endSessions(user.id)
}

/**
 * Answers the request with an event stream of one workspace's head; resolves when it has begun. Throws UNAUTHENTICATED,
 * NOT_A_MEMBER, CROSS_SITE, RATE_LIMITED, INVALID_REQUEST.
 */
export async function openLiveStream(event: H3Event): Promise<void> {
  const response = event.node.res
  if (!(response instanceof ServerResponse)) {
    throw createSyncError('INVALID_REQUEST', 'A live stream needs a connection of its own.')
  }
  refuseForeignPage(event)
  const { workspaceId, client } = readQuery(event)
  const { user } = await authorize(event, 'workspace.read', { workspaceId })
  countRequest(event, 'live', user.id)
  const engine = await useSyncEngine()
  let remove = () => {}
  // No function here may hold the event, which would then live as long as the stream.
  const stream = createLiveStream({
    response,
    userId: user.id,
    workspaceId,
    key: client,
    figures: liveFigures,
    readRights: createRightsReader(event, workspaceId, user.id),
    onClose: () => remove(),
  })
  remove = addListener(event, useLiveListeners(engine), stream)
  try {
    await stream.open(() => engine.readHead(createUserCaller(workspaceId, user.id)))
    releaseRequest(event)
  }
  finally {
    if (!response.headersSent) remove()
  }
}

/** Adds it as `LiveListeners.add` does; a client that has too many is told when to try again. */
export function addListener(event: H3Event, all: LiveListeners, listener: LiveListener): () => void {
  try {
    return all.add(listener)
  }
  catch (error) {
    if (isSyncError(error) && (error.code === 'RATE_LIMITED' || error.code === 'SERVER_BUSY')) {
      countLimited('live-streams')
      setResponseHeader(event, 'Retry-After', retryLiveSeconds)
    }
    throw error
  }
}

/** A client names itself, so that its new stream takes the place of one that is lost on the way. */
const maxClientLength = 64

function readQuery(event: H3Event): { workspaceId: string, client: string | undefined } {
  const { workspaceId, client } = getQuery(event)
  if (typeof workspaceId !== 'string') {
    throw createSyncError('INVALID_REQUEST', 'Name one workspace in the query: ?workspaceId=…')
  }
  if (client === undefined) return { workspaceId, client }
  if (typeof client === 'string' && client.length <= maxClientLength) return { workspaceId, client }
  throw createSyncError('INVALID_REQUEST', `client: a text of at most ${maxClientLength} characters`)
}
