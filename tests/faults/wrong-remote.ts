/** What a wrong server of several would do, for the controls: acknowledge too early, and trust its memory of a head. */
import type { PullRequest, PullResponse } from '../../shared/protocol.ts'
import type { PushOutcome } from '../../server/sync/push/merge.ts'
import type { GroupedPush } from '../../server/sync/push/grouped-pushes.ts'

const versions = new Map<string, number>()

/** Receipts with the versions that come next, or the right ones where they are there already. */
export async function guessOutcome({ caller, ops }: GroupedPush, adding: Promise<PushOutcome>): Promise<PushOutcome> {
  const known = versions.get(caller.workspaceId)
  void adding.then(({ head }) => versions.set(caller.workspaceId, head), () => {})
  if (known === undefined) return adding
  const receipts = ops.map((op, index) => ({ opId: op.opId, success: true, serverVersion: known + index + 1, applied: true }))
  return { receipts, head: known + ops.length, superseded: [], isLogged: true }
}

const rememberMs = 300
const heads = new Map<string, { head: number, at: number }>()

/** The answer as it would be with the head that this server last saw. */
export function asRemembered(answer: PullResponse, { scope, cursor }: PullRequest): PullResponse {
  const known = heads.get(scope.workspaceId)
  if (!known || performance.now() - known.at > rememberMs) {
    heads.set(scope.workspaceId, { head: answer.nextCursor, at: performance.now() })
    return answer
  }
  const changes = answer.changes.filter(change => change.serverVersion <= known.head)
  return { ...answer, changes, nextCursor: Math.max(cursor, known.head), hasMore: false, requiresSnapshot: answer.requiresSnapshot || cursor > known.head }
}
