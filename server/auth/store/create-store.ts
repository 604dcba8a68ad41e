/**
 * The store a host or this layer registers: each method waits for the database and hands over to its room.
 * The instance holds nothing, since it is made anew for every look-up.
 */
import type { SyncDatabase } from '../../db/open.ts'
import { acceptInviteAndProvisionUser, consumeInvite, validateInvite } from '../invite-acceptance.ts'
import { createInvite, listInvites, revokeInvite } from '../invites.ts'
import { getWorkspaceRole, listMembers, removeMember, setMemberRole } from '../members.ts'
import { getOrCreateUser, getUser } from '../users.ts'
import {
  createWorkspace, getOrCreateDefaultWorkspace, listUserWorkspaces, removeWorkspace, setActiveWorkspace,
  updateWorkspace,
} from '../workspaces.ts'
import type { AuthWorkspaceStore } from './types.ts'

/** `database` is asked on every call, so that a store can be registered before the database is open. */
export function createAuthWorkspaceStore(database: () => Promise<SyncDatabase>): Required<AuthWorkspaceStore> {
  return {
    getUser: async input => getUser(await database(), input),
    getOrCreateUser: async input => getOrCreateUser(await database(), input),
    getOrCreateDefaultWorkspace: async userId => getOrCreateDefaultWorkspace(await database(), userId),
    getWorkspaceRole: async input => getWorkspaceRole(await database(), input),
    listUserWorkspaces: async userId => listUserWorkspaces(await database(), userId),
    createWorkspace: async input => createWorkspace(await database(), input),
    updateWorkspace: async input => updateWorkspace(await database(), input),
    removeWorkspace: async input => removeWorkspace(await database(), input),
    setActiveWorkspace: async input => setActiveWorkspace(await database(), input),
    createInvite: async input => createInvite(await database(), input),
    listInvites: async input => listInvites(await database(), input),
    revokeInvite: async input => revokeInvite(await database(), input),
    validateInvite: async input => validateInvite(await database(), input),
    acceptInviteAndProvisionUser: async input => acceptInviteAndProvisionUser(await database(), input),
    consumeInvite: async input => consumeInvite(await database(), input),
    listMembers: async input => listMembers(await database(), input),
    setMemberRole: async input => setMemberRole(await database(), input),
    removeMember: async input => removeMember(await database(), input),
  }
}
