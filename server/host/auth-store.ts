/**
 * The store a host or this layer registers: each method waits for the database and hands over to its room, and what
 * fails there leaves as a refusal without the driver's words.
 * The instance holds nothing, since it is made anew for every look-up.
 */
import type { SyncDatabase } from '../database/types.ts'
import { answerHost } from './errors.ts'
import { acceptInviteAndProvisionUser, consumeInvite, validateInvite } from '../workspaces/invite-acceptance.ts'
import { acceptInviteLink, createInviteLink, listInviteLinks, revokeInviteLink } from '../workspaces/invite-links.ts'
import { createInvite, listInvites, revokeInvite } from '../workspaces/invites.ts'
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

/** `database` is asked on every call, so that a store can be registered before the database is open. */
export function createAuthWorkspaceStore(
  database: () => Promise<SyncDatabase>, { workspaceName }: AuthStoreOptions = {},
): Required<AuthWorkspaceStore> {
  const serve = <I, T>(room: (database: SyncDatabase, input: I) => Promise<T>) => async (input: I): Promise<T> =>
    answerHost('The user and workspace store', async () => room(await database(), input))
  return {
    getUser: serve(getUser),
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
