/** A real sync engine on a libSQL file as the server of a client under test, with faults on the way to it. */
import { createSyncGatewayAdapter } from '../../../server/sync/gateway/adapter.ts'
import { createHttpTransport, type Transport, TransportError } from '../../../client/index.ts'
import type { PushResult } from '../../../shared/protocol.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { eventOf } from '../../helpers/sync.ts'
import { withoutFlushes } from '../../property/scale.ts'

export type Route = keyof Transport

export interface TestServer {
  /** The way of a user to a workspace; `faults` are asked before and after each request. */
  transportOf(user?: string, faults?: Faults): Transport
  /** How often each route was called. */
  readonly calls: Record<Route, number>
  cleanUp(workspaceId: string, retentionSeconds?: number): Promise<void>
  close(): Promise<void>
}

export interface Faults {
  /** Throwing is the request that never arrived. */
  before?: ((route: Route) => void | Promise<void>) | undefined
  /** Throwing is the answer that got lost. */
  after?: ((route: Route) => void | Promise<void>) | undefined
}

export const workspaceId = 'w1'

export function loseConnection(): never {
  throw new TransportError(0, 'No answer.')
}

/** Opens the server on a file of its own, or on `path`. */
export async function startServer(path?: string): Promise<TestServer> {
  const database = await openTestDatabase({ ...path !== undefined && { path }, ...withoutFlushes })
  const adapter = createSyncGatewayAdapter(async () => database)
  const calls: Record<Route, number> = { push: 0, pull: 0, snapshot: 0, updateCursor: 0 }

  return {
    calls,
    transportOf(user = 'user-1', faults = {}) {
      const ask = async <A>(route: Route, request: object, answer: (body: never) => Promise<A>) => {
        await faults.before?.(route)
        calls[route]++
        const result = await answer(JSON.parse(JSON.stringify(request)) as never).catch(refuse)
        await faults.after?.(route)
        return JSON.parse(JSON.stringify(result ?? { ok: true })) as A
      }
      const eventFor = ({ scope }: { scope: { workspaceId: string } }) => eventOf(user, scope.workspaceId)
      return {
        push: batch => ask('push', batch, body => adapter.push(eventFor(batch), body) as Promise<PushResult>),
        pull: request => ask('pull', request, body => adapter.pull(eventFor(request), body)),
        snapshot: request => ask('snapshot', request, body => adapter.snapshot(eventFor(request), body)),
        updateCursor: request => ask('updateCursor', request, body => adapter.updateCursor(eventFor(request), body)),
      }
    },
    async cleanUp(id, retentionSeconds = 3_600) {
      const request = { scope: { workspaceId: id }, retentionSeconds }
      for (const run of [adapter.gcTombstones, adapter.gcChangeLog]) await run(eventOf('user-1', id), request)
    },
    close: () => database.close(),
  }
}

function refuse(error: { statusCode?: number, message: string }): never {
  throw new TransportError(error.statusCode ?? 500, error.message)
}

/** A transport whose every answer is made by `respond`, as `fetch` would bring it. */
export function transportByFetch(respond: (route: string, body: unknown) => Response | Promise<Response>): Transport {
  return createHttpTransport({
    baseUrl: 'http://server.test',
    fetch: async (url, init) => respond(String(url).split('/').at(-1)!, JSON.parse(String(init?.body))),
  })
}
