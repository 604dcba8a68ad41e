/**
 * The user and workspace store that is registered with a host or with the layer itself. Each method waits for the
 * database and calls its function; an error leaves without the driver's text. The instance has no state, since the host
 * of February 2026 makes one for every look-up.
 */
import type { SyncDatabase } from '../database/types.ts'
import { answerHost } from './errors.ts'
import { acceptInviteAndProvisionUser, consumeInvite, validateInvite } from '../workspaces/invite-acceptance.ts'
import { acceptInviteLink, createInviteLink, listInviteLinks, revokeInviteLink } from '../workspaces/invite-links.ts'
import { createInvite, listInvites, revokeInvite } from '../workspaces/invites.ts'
import { findKnownSession } from '../workspaces/known-session.ts'
import { getMembership, getWorkspaceRole, listMembers, removeMember, setMemberRole } from '../workspaces/members.ts'
import { getOrCreateUser, getUser } from '../workspaces/users.ts'
import {
  createWorkspace, getOrCreateDefaultWorkspace, listUserWorkspaces, removeWorkspace, setActiveWorkspace,
  updateWorkspace,
} from '../workspaces/workspaces.ts'
import type { AuthWorkspaceStore } from '../workspaces/store/types.ts'

export interface AuthStoreOptions {
  /** How a user's first workspace is named (workspaces/default-name.ts); the contract's name where it is left out. */
  workspaceName?: string | undefined
}

/** Makes the store. Each call asks for `database`, so that the store can be registered before the database is open. */
export function createAuthWorkspaceStore(
  database: () => Promise<SyncDatabase>, { workspaceName }: AuthStoreOptions = {},
): Required<AuthWorkspaceStore> {
  const serve = <I, T>(run: (database: SyncDatabase, input: I) => Promise<T>) => async (input: I): Promise<T> =>
    answerHost('The user and workspace store', async () => run(await database(), input))
  return {
    getUser: serve(getUser),
    findKnownSession: serve(findKnownSession),
    getOrCreateUser: serve(getOrCreateUser),
    getOrCreateDefaultWorkspace: serve((opened, userId: string) =>
      getOrCreateDefaultWorkspace(opened, userId, workspaceName)),
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
    createInviteLink: serve(createInviteLink),
    listInviteLinks: serve(listInviteLinks),
    revokeInviteLink: serve(revokeInviteLink),
    acceptInviteLink: serve(acceptInviteLink),
    getMembership: serve(getMembership),
    listMembers: serve(listMembers),
    setMemberRole: serve(setMemberRole),
    removeMember: serve(removeMember),
  }
}
