/** The exported types of the answers say what the HTTP reference says, whose shapes a test holds to the routes. */
import type { z } from 'zod'
import type * as shapes from '../../docs/routes.ts'
import type * as answers from '../../shared/answers.ts'
import type * as wire from '../../shared/protocol.ts'

type Check<T extends true> = T
type Fits<From, To> = [From] extends [To] ? true : false
type Shape<Name extends keyof typeof shapes> = (typeof shapes)[Name] extends z.ZodType ? z.infer<(typeof shapes)[Name]> : never

export type Both = [
  Check<Fits<Shape<'sessionAnswer'>, answers.SessionAnswer>>, Check<Fits<answers.SessionAnswer, Shape<'sessionAnswer'>>>,
  Check<Fits<Shape<'workspacesAnswer'>, answers.WorkspacesAnswer>>, Check<Fits<answers.WorkspacesAnswer, Shape<'workspacesAnswer'>>>,
  Check<Fits<Shape<'membersAnswer'>, answers.MembersAnswer>>, Check<Fits<answers.MembersAnswer, Shape<'membersAnswer'>>>,
  Check<Fits<Shape<'invitesAnswer'>, answers.InvitesAnswer>>, Check<Fits<answers.InvitesAnswer, Shape<'invitesAnswer'>>>,
  Check<Fits<Shape<'inviteLinksAnswer'>, answers.InviteLinksAnswer>>, Check<Fits<answers.InviteLinksAnswer, Shape<'inviteLinksAnswer'>>>,
  Check<Fits<Shape<'pullResponse'>, wire.PullResponse>>,
  Check<Fits<Shape<'pushResult'>, wire.PushResult>>,
  Check<Fits<Shape<'cleanUpResult'>, wire.CleanUpResult>>, Check<Fits<wire.CleanUpResult, Shape<'cleanUpResult'>>>,
]

/** What must not fit. */
export type Control = Check<Fits<{ workspaces: [] }, answers.MembersAnswer> extends true ? false : true>
