/**
 * Tells a host's webhooks what a push has changed: after the commit, in the order of the ops, for those alone that were
 * applied. A hook that fails or hangs is logged; the push has been committed, so its answer waits only so long.
 */
import { consola } from 'consola'
import { sql } from 'drizzle-orm'
import { nowSeconds } from '../../lib/clock.ts'
import { mayLog } from '../../lib/log-budget.ts'
import type { SyncDatabase } from '../../database/types.ts'
import type { UserCaller } from '../../sync/caller.ts'
import type { JsonObject, PendingOp, PushBatch, PushResult } from '../../../shared/protocol.ts'
import { logOf } from '../../sync/log.ts'

/** The host's `emitWebhookSystemHook`. */
export type EmitSystemHook = (hookName: string, payload: JsonObject) => unknown

export interface SystemHookWaits {
  /** How long a hook may keep those after it waiting, and the push's answer, in milliseconds. */
  hookMs?: number
  /** After so long nothing more of a push is emitted, in milliseconds. */
  totalMs?: number
}

const defaultWaits = { hookMs: 2_000, totalMs: 30_000 }

/** A push may meet one for each of its ops. */
function warn(sentence: string, error?: unknown) {
  if (mayLog()) consola.withTag('or3-sync').warn(sentence, ...error === undefined ? [] : [error])
}

/** The name that the host's hooks have for rows of a table. */
const rowNames: Record<string, string | undefined> = {
  threads: 'threads', messages: 'messages', posts: 'documents', documents: 'documents',
}

/** Answers a function to be awaited after each push. It never throws. */
export function createSystemHooks(emit: EmitSystemHook, waits: SystemHookWaits = {}) {
  const { hookMs, totalMs } = { ...defaultWaits, ...waits }

  async function emitAll(emissions: readonly Emission[]) {
    const until = performance.now() + totalMs
    for (const [index, { hookName, payload }] of emissions.entries()) {
      if (performance.now() >= until) {
        return warn(
          `${emissions.length - index} webhook hooks of a push were left out: those before them took too long.`,
        )
      }
      const isDone = await within(hookMs, call(hookName, payload))
      if (!isDone) warn(`The hook ${hookName} has not ended within ${hookMs} ms.`)
    }
  }

  async function call(hookName: string, payload: JsonObject) {
    try {
      await emit(hookName, payload)
    }
    catch (error) {
      warn(`The hook ${hookName} failed:`, error)
    }
  }

  return async (database: SyncDatabase, caller: UserCaller, batch: PushBatch, result: PushResult): Promise<void> => {
    try {
      const emissions = await planEmissions(database, caller, batch, result)
      await within(hookMs, emitAll(emissions))
    }
    catch (error) {
      warn('The webhook hooks of a push could not be emitted:', error)
    }
  }
}

interface Emission { hookName: string, payload: JsonObject }

async function planEmissions(
  database: SyncDatabase,
  caller: UserCaller,
  { ops }: PushBatch,
  { results }: PushResult,
): Promise<Emission[]> {
  const applied = ops.flatMap((op, index) => {
    const receipt = results[index]
    return receipt?.success && receipt.applied && !receipt.replayed ? [{ op, version: receipt.serverVersion! }] : []
  }).filter(({ op }) => nameHook(op, true) !== undefined)
  if (applied.length === 0) return []
  const hadRow = await readObsoleting(database, caller.workspaceId, applied.map(({ version }) => version))
  return applied.map(({ op, version }) => ({
    hookName: nameHook(op, hadRow.has(version))!, payload: describeRow(op, caller),
  }))
}

/** Undefined where the host has no hook for it. */
function nameHook({ tableName, operation }: PendingOp, hadRow: boolean): string | undefined {
  if (tableName === 'notifications') return operation === 'put' ? 'notify:action:push' : undefined
  const rows = rowNames[tableName]
  if (rows === undefined) return undefined
  if (operation === 'delete') return `db.${rows}.delete:action:soft:after`
  return `db.${rows}.${hadRow ? 'update' : 'create'}:action:after`
}

/** The payload as it came, with what the host's event needs where it is missing. Moments in payloads are seconds. */
function describeRow({ payload, pk, operation }: PendingOp, { workspaceId, userId }: UserCaller): JsonObject {
  const row: JsonObject = { ...payload as JsonObject | null | undefined }
  if (typeof row['id'] !== 'string' || row['id'] === '') row['id'] = pk
  if (typeof row['workspace_id'] !== 'string') row['workspace_id'] = workspaceId
  if (typeof row['user_id'] !== 'string') row['user_id'] = userId
  if (typeof row['updated_at'] !== 'number') row['updated_at'] = nowSeconds()
  if (operation === 'delete') row['deleted'] = true
  return row
}

/** Which of these versions took the place of another of their key, live or deleted. */
async function readObsoleting(
  { read }: SyncDatabase,
  workspaceId: string,
  versions: readonly number[],
): Promise<Set<number>> {
  const rows = await read.all<{ version: number }>(sql`
    select c.server_version as version from json_each(${JSON.stringify(versions)}) v
    cross join changes c on c.log_id = ${logOf(workspaceId)} and c.server_version = v.value
    where c.obsoletes is not null`)
  return new Set(rows.map(row => row.version))
}

/** False where `work` has not ended by then; it goes on. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<false>()
  const timer = setTimeout(() => resolve(false), ms)
  return Promise.race([work.then(() => true), promise]).finally(() => clearTimeout(timer))
}
