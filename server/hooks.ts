/** The Nitro hooks that the layer calls, for an app's `nitroApp.hooks.hook(…)`. */
import type { AppliedOps } from './sync/applied.ts'

declare module 'nitropack/types' {
  interface NitroRuntimeHooks {
    /**
     * After a commit, with the ops that it has applied: of a push, or of the server's own code. It can neither delay
     * nor fail the push.
     */
    'sync:applied': (applied: AppliedOps) => void | Promise<void>
  }
}

export type { AppliedOp, AppliedOps } from './sync/applied.ts'
