/**
 * A push, told as one story: check the shape, validate each op by itself, write what holds in one transaction, tell the
 * commit, answer with one receipt per op. Upholds P1 to P4, P7 to P9 and P15.
 */
import { parseJson } from '../../../shared/parse-json.ts'
import type { PushBatch, PushResult, PushResultItem, Winner } from '../../../shared/protocol.ts'
import { pushBatch, pushedOp } from '../../../shared/shapes.ts'
import { readSyncSettings } from '../../config/sync.ts'
import { readRows } from '../../database/statement.ts'
import { createSyncError } from '../../errors.ts'
import { countLimited } from '../../lib/limit-counts.ts'
import { parseRequest } from '../../lib/parse-request.ts'
import { createTurns } from '../../lib/turns.ts'
import { assertScope, type UserCaller } from '../caller.ts'
import type { EngineContext } from '../context.ts'
import type { PushOutcome, WinnerRow } from './merge.ts'
import { selectWinners } from './reads.ts'
import { isValidOp, type Refusal, validateOp, type ValidOp } from './validate.ts'
import { writeOptimistic } from './write-ops.ts'

/** A batch in which an op may be a function that parses it, so that a large body is parsed op by op. */
export type LazyPushBatch = Omit<PushBatch, 'ops'> & { ops: readonly unknown[] }

/** The answer of a push as JSON text, and its receipts, without winners, for the metrics. */
export interface PushText { text: string, results: readonly PushResultItem[] }

/**
 * Applies a batch of ops; resolves after the commit. Throws INVALID_REQUEST for a wrong shape or too many ops,
 * DATABASE_FULL where the disk's reserve is reached, and the database's refusals. An op that cannot be applied gets a
 * receipt and its neighbours go on.
 */
export async function push(context: EngineContext, caller: UserCaller, batch: PushBatch): Promise<PushResult> {
  const merge = await applyBatch(context, caller, batch)
  for (const row of await readSuperseding(context, caller, merge)) {
    const { receipt } = merge.superseded[row.place]!
    receipt.winner = toWinner(row)
    if (receipt.winner.kind === 'put') receipt.payload = receipt.winner.payload
  }
  return { results: merge.receipts, serverVersion: merge.head }
}

/** As `push`; the winners' payloads leave as they are stored. */
export async function pushText(context: EngineContext, caller: UserCaller, batch: LazyPushBatch): Promise<PushText> {
  const merge = await applyBatch(context, caller, batch)
  const winners = new Map<PushResultItem, WinnerRow>()
  for (const row of await readSuperseding(context, caller, merge)) {
    winners.set(merge.superseded[row.place]!.receipt, row)
  }
  const results = merge.receipts
  if (winners.size === 0) return { results, text: JSON.stringify({ results, serverVersion: merge.head }) }
  const receipts = results.map(receipt => toReceiptText(receipt, winners.get(receipt)))
  return { results, text: `{"results":[${receipts.join()}],"serverVersion":${merge.head}}` }
}

async function applyBatch(context: EngineContext, caller: UserCaller, batch: LazyPushBatch): Promise<PushOutcome> {
  refuseTooManyOps(batch)
  const { scope, ops } = parseRequest(pushBatch, batch, 'Invalid push request')
  assertScope(caller, scope)
  const valid = await validateOps(ops, caller)
  const isShort = context.disk.isShort()
  // A small push pays for no wait that it does not need.
  const validated = isShort !== false && await isShort ? withoutPuts(valid) : valid
  const preparing = context.quotas.prepare(caller.workspaceId)
  if (preparing) await preparing
  const outcome = await writePush(context, caller, validated)
  if (outcome.isLogged) context.commits.tell({ workspaceId: caller.workspaceId, head: outcome.head })
  context.applied.tell(caller, validated, outcome.receipts)
  return outcome
}

/** A database that runs writes in groups takes a push as a plan, any other one as a job of its own. */
async function writePush(
  context: EngineContext, caller: UserCaller, ops: readonly (ValidOp | Refusal)[],
): Promise<PushOutcome> {
  const { database, groupedPushes } = context
  if (database.grouped) return database.grouped.add(groupedPushes, { caller, ops })
  const merge = await database.write(tx => writeOptimistic(context, tx, caller, ops))
  return { ...merge, isLogged: merge.log.length > 0 }
}

/** Before the shape is checked: the issues of millions of wrong ops would fill the memory. */
function refuseTooManyOps(batch: Partial<LazyPushBatch> | null | undefined) {
  const ops = batch?.ops
  const { maxOpsPerPush } = readSyncSettings()
  if (Array.isArray(ops) && ops.length > maxOpsPerPush) {
    throw createSyncError('INVALID_REQUEST', `Invalid push request: ops: at most ${maxOpsPerPush} in one push`)
  }
}

/**
 * One by one: of a large batch the parsed value of one op is in memory at a time, and other requests go on in between.
 */
async function validateOps(ops: readonly unknown[], caller: UserCaller): Promise<(ValidOp | Refusal)[]> {
  const turns = createTurns()
  const validated: (ValidOp | Refusal)[] = []
  for (let index = 0; index < ops.length; index++) {
    const op: unknown = ops[index]
    const value: unknown = typeof op === 'function' ? op() : op
    const incoming = parseRequest(pushedOp, value, 'Invalid push request', `ops.${index}`)
    validated.push(validateOp(incoming, caller))
    const turn = turns.pause()
    if (turn) await turn
  }
  return validated
}

/** At the disk's reserve: refuses each put, and deletes go on. Throws DATABASE_FULL where there are only puts. */
function withoutPuts(ops: (ValidOp | Refusal)[]): (ValidOp | Refusal)[] {
  const isPut = (op: ValidOp | Refusal) => isValidOp(op) && op.operation === 'put'
  if (!ops.some(isPut)) return ops
  countLimited('disk-reserve')
  if (!ops.some(op => isValidOp(op) && op.operation === 'delete')) {
    throw createSyncError(
      'DATABASE_FULL', 'The server keeps the rest of its disk for deletes; nothing was written. Try again later.',
    )
  }
  const error = 'Retry after 60s: the server keeps the rest of its disk for deletes'
  return ops.map(op => isPut(op) ? { opId: op.opId, errorCode: 'RATE_LIMITED', error } : op)
}

/** After the commit: the writer need not wait, and a change stays what it was. */
async function readSuperseding(
  { database }: EngineContext, { workspaceId }: UserCaller, { superseded, winners }: PushOutcome,
): Promise<readonly WinnerRow[]> {
  if (winners || superseded.length === 0) return winners ?? []
  const select = selectWinners(workspaceId, superseded.map(one => one.winnerVersion))
  return readRows(database.read.$client, select).catch((cause: unknown) => {
    throw createSyncError(
      'DATABASE_UNAVAILABLE', 'The push was written, but its answer could not be read: send it again.', { cause },
    )
  })
}

function toWinner({ op, clock, hlc, opId, createdAt, payload }: WinnerRow): Winner {
  const revision = { clock, hlc, opId }
  return op === 'put'
    ? { kind: 'put', payload: parseJson(payload ?? 'null'), revision }
    : { kind: 'delete', revision, serverDeletedAt: createdAt }
}

function toReceiptText(receipt: PushResultItem, winner: WinnerRow | undefined): string {
  const text = JSON.stringify(receipt)
  if (!winner) return text
  const { op, clock, hlc, opId, createdAt, payload } = winner
  const revision = JSON.stringify({ clock, hlc, opId })
  return op === 'put'
    ? `${text.slice(0, -1)},"winner":{"kind":"put","payload":${payload},"revision":${revision}},"payload":${payload}}`
    : `${text.slice(0, -1)},"winner":{"kind":"delete","revision":${revision},"serverDeletedAt":${createdAt}}}`
}
