/**
 * The store a host or this layer registers: each method waits for the database and hands over to its room, and what
 * fails there leaves as a refusal without the driver's words.
 * The instance holds nothing, since it is made anew for every look-up.
 */
import { consola } from 'consola'
import { isError } from 'h3'
import { toPublicError } from '../../db/driver-error.ts'
import type { SyncDatabase } from '../../db/open.ts'
import { fail } from '../../errors.ts'
import { acceptInviteAndProvisionUser, consumeInvite, validateInvite } from '../invite-acceptance.ts'
import { createInvite, listInvites, revokeInvite } from '../invites.ts'
import { getWorkspaceRole, listMembers, removeMember, setMemberRole } from '../members.ts'
import { getOrCreateUser, getUser } from '../users.ts'
import {
  createWorkspace, getOrCreateDefaultWorkspace, listUserWorkspaces, removeWorkspace, setActiveWorkspace,
  updateWorkspace,
} from '../workspaces.ts'
import type { AuthWorkspaceStore } from './types.ts'

const log = consola.withTag('or3-sync')

/** `database` is asked on every call, so that a store can be registered before the database is open. */
export function createAuthWorkspaceStore(database: () => Promise<SyncDatabase>): Required<AuthWorkspaceStore> {
  const serve = <I, T>(room: (database: SyncDatabase, input: I) => Promise<T>) => async (input: I): Promise<T> => {
    try {
      return await room(await database(), input)
    }
    catch (error) {
      throw withoutDriverText(error)
    }
  }
  return {
    getUser: serve(getUser),
    getOrCreateUser: serve(getOrCreateUser),
    getOrCreateDefaultWorkspace: serve(getOrCreateDefaultWorkspace),
    getWorkspaceRole: serve(getWorkspaceRole),
    listUserWorkspaces: serve(listUserWorkspaces),
    createWorkspace: serve(createWorkspace),
    updateWorkspace: serve(updateWorkspace),
    removeWorkspace: serve(removeWorkspace),
    setActiveWorkspace: serve(setActiveWorkspace),
    createInvite: serve(createInvite),
    listInvites: serve(listInvites),
    revokeInvite: serve(revokeInvite),
    validateInvite: serve(validateInvite),
    acceptInviteAndProvisionUser: serve(acceptInviteAndProvisionUser),
    consumeInvite: serve(consumeInvite),
    listMembers: serve(listMembers),
    setMemberRole: serve(setMemberRole),
    removeMember: serve(removeMember),
  }
}

/** Refusals pass. A host answers any other error's text, and a query's error is its SQL and its values. */
function withoutDriverText(error: unknown): unknown {
  const known = toPublicError(error)
  if (isError(known)) return known
  log.error('The user and workspace store failed:', error)
  return fail('DATABASE_UNAVAILABLE', 'The database could not serve this: see the server log.', { cause: error })
}
