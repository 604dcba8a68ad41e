/**
 * The types of the requests on the wire and the shapes that the server checks have the same fields, of the same types.
 * Seen red: a field added to one of both, a field of another type.
 */
import type { z } from 'zod'
import type * as wire from '../../shared/protocol.ts'
import type * as shapes from '../../shared/shapes.ts'

type Check<T extends true> = T
type Fits<From, To> = [From] extends [To] ? true : false

/** What hosts' clients send and no server reads. */
type Unread = 'fileKindCapability' | 'workspaceItemCapability' | 'id' | 'createdAt' | 'attempts' | 'status'
  | 'nextAttemptAt'

/** True where the checked value is the wire's, a wire's request may be checked, and neither has a field more. */
type IsSame<Wire, Shape extends z.ZodType>
  = [z.output<Shape>, Wire, keyof z.output<Shape>, Exclude<keyof Wire, Unread>] extends
  [Wire, z.input<Shape>, Exclude<keyof Wire, Unread>, keyof z.output<Shape>] ? true : false

export type Requests = [
  Check<IsSame<wire.PullRequest, typeof shapes.pullRequest>>,
  Check<IsSame<wire.SnapshotRequest, typeof shapes.snapshotRequest>>,
  Check<IsSame<wire.UpdateCursorRequest, typeof shapes.updateCursorRequest>>,
  Check<IsSame<wire.CleanUpRequest, typeof shapes.cleanUpRequest>>,
  Check<IsSame<wire.PendingOp, typeof shapes.pushedOp>>,
  // Its ops are checked one by one, as `pushedOp`.
  Check<Fits<keyof wire.PushBatch, keyof z.output<typeof shapes.pushBatch> | Unread>>,
  Check<Fits<wire.PushBatch, z.input<typeof shapes.pushBatch>>>,
]

/** What must not be the same. */
export type Controls = [
  Check<IsSame<wire.PullRequest & { more: string }, typeof shapes.pullRequest> extends true ? false : true>,
  Check<IsSame<Omit<wire.PullRequest, 'history'>, typeof shapes.pullRequest> extends true ? false : true>,
  Check<IsSame<wire.CleanUpRequest & { retentionSeconds: string }, typeof shapes.cleanUpRequest> extends true ? false : true>,
]
