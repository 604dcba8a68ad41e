/** Watches the server's requests: ids and logs always, slow statements and metrics where they are set. */
import { consola } from 'consola'
import type { H3Event } from 'h3'
import type { OpenOptions } from '../database/local/open.ts'
import { openedEngine } from '../layer.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { logFailure, assignRequestId } from '../http/requests.ts'
import { readOpsSettings } from '../config/operations.ts'
import { mayLog } from '../lib/log-budget.ts'
import { watchStatements } from './slow-statements.ts'

/** What is used of nitro's hooks. */
interface Hooks {
  hook(name: 'request', run: (event: H3Event) => void): unknown
  hook(name: 'beforeResponse', run: (event: H3Event, response: { body?: unknown }) => void): unknown
  hook(name: 'error', run: (error: Error, context: { event?: H3Event }) => void): unknown
}

let metrics: Promise<Metrics> | undefined

/** Null where they are not enabled. */
export async function useMetrics(): Promise<Metrics | null> {
  return await metrics ?? null
}

/** Gives each request an id, logs failures and counts requests for the metrics. */
export function watchRequests(hooks: Hooks): void {
  hooks.hook('request', assignRequestId)
  hooks.hook('error', (error, { event }) => logFailure(error, event))
  if (!readOpsSettings().metrics) return
  metrics = createMetrics(openedEngine)
  void metrics.then(({ begin, see }) => {
    hooks.hook('request', begin)
    hooks.hook('beforeResponse', (event, { body }) => see(event, body))
  })
}

/** For `openDatabase`; nothing stands in the way where slow statements are not asked for. */
export function statementWatch(): OpenOptions {
  const { slowStatementMs } = readOpsSettings()
  if (slowStatementMs === 0) return {}
  return {
    wrapClient: client => watchStatements(client, slowStatementMs, ({ name, hash, tookMs }) => {
      if (mayLog()) consola.withTag('or3-sync').warn(`A statement took ${tookMs} ms: ${name}, ${hash}`)
    }),
  }
}
