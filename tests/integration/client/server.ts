/** A real sync engine on a libSQL file as the server of a client under test, with faults on the way to it. */
import { copyFile } from 'node:fs/promises'
import { createHttpTransport, type Transport, TransportError } from '../../../client/index.ts'
import { createSystemCaller, createUserCaller } from '../../../server/sync/caller.ts'
import { isSyncError } from '../../../server/errors.ts'
import { errorKinds } from '../../../shared/error-codes.ts'
import { createSyncEngine } from '../../../server/sync/engine.ts'
import type { PendingOp } from '../../../shared/protocol.ts'
import { restoreBackup } from '../../../server/operations/restore.ts'
import { layerMigrations, makeTempFolder, openTestDatabase } from '../../helpers/database.ts'
import { withoutFlushes } from '../../property/scale.ts'

export type Route = Exclude<keyof Transport, 'openLive'>

export interface TestServer {
  /** The way of a user; `faults` are asked before and after each request. */
  transportOf(user?: string, faults?: Faults): Transport
  /** The ops of each push that was answered, whether or not the answer arrived. */
  readonly received: readonly (readonly PendingOp[])[]
  /** How often each route was called. */
  readonly calls: Record<Route, number>
  cleanUp(): Promise<void>
  /** Copies the file for a later `restore`. */
  backUp(): Promise<void>
  /** Puts the copy back, as `db:restore` does; false where there is none. */
  restore(): Promise<boolean>
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

/** Opens the server on a file of its own. */
export async function startServer(): Promise<TestServer> {
  const path = `${await makeTempFolder()}/sync.db`
  const open = async () => createSyncEngine(await openTestDatabase({ path, ...withoutFlushes }))
  const calls: Record<Route, number> = { push: 0, pull: 0, snapshot: 0, updateCursor: 0 }
  const received: PendingOp[][] = []
  let engine = await open()
  let isBackedUp = false

  const reopen = async (copy: () => Promise<void>) => {
    await engine.database.close()
    await copy()
    engine = await open()
  }
  return {
    calls,
    received,
    transportOf(user = 'user-1', faults = {}) {
      const ask = async <Q extends { scope: { workspaceId: string } }, A>(
        route: Route, request: Q, answer: (caller: ReturnType<typeof createUserCaller>, body: Q) => Promise<A>,
      ) => {
        await faults.before?.(route)
        calls[route]++
        const body = JSON.parse(JSON.stringify(request)) as Q
        const result = await answer(createUserCaller(body.scope.workspaceId, user), body).catch(refuse)
        await faults.after?.(route)
        return JSON.parse(JSON.stringify(result ?? { ok: true })) as A
      }
      return {
        push: request => ask('push', request, async (caller, body) => {
          const answer = await engine.push(caller, body)
          received.push(body.ops)
          return answer
        }),
        pull: request => ask('pull', request, (caller, body) => engine.pull(caller, body)),
        snapshot: request => ask('snapshot', request, (caller, body) => engine.snapshot(caller, body)),
        updateCursor: request => ask('updateCursor', request, (caller, body) => engine.updateCursor(caller, body)),
      }
    },
    async cleanUp() {
      await engine.gcTombstones(createSystemCaller(workspaceId), { scope: { workspaceId }, retentionSeconds: 3_600 })
    },
    backUp: () => reopen(async () => {
      await copyFile(path, `${path}.backup`)
      isBackedUp = true
    }),
    async restore() {
      if (!isBackedUp) return false
      await reopen(async () => {
        await restoreBackup({ from: `${path}.backup`, to: path, migrations: layerMigrations })
      })
      return true
    },
  }
}

function refuse(error: unknown): never {
  if (!isSyncError(error)) throw error
  throw new TransportError(errorKinds[error.code].status, error.message, { code: error.code })
}

/** A transport whose every answer is made by `respond`, as `fetch` would bring it. */
export function transportByFetch(respond: (route: string, body: unknown) => Response | Promise<Response>): Transport {
  return createHttpTransport({
    baseUrl: 'http://server.test',
    fetch: async (url, init) => respond(String(url).split('/').at(-1)!, JSON.parse(String(init?.body))),
  })
}
