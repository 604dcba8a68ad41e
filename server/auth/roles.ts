/** What each role may do in its workspace, and the order of the roles. Pure. */
import type { WorkspaceRole } from '../workspaces/store/types.ts'

/** What a request may ask for. `admin.access` is a host's: no role of a workspace gives it. */
export type Permission
  = | 'workspace.read' | 'workspace.write' | 'workspace.settings.manage'
    | 'users.manage' | 'plugins.manage' | 'admin.access'

/** All roles, the highest first. */
export const workspaceRoles = ['owner', 'editor', 'viewer'] as const satisfies readonly WorkspaceRole[]

const rolePermissions: Record<WorkspaceRole, readonly Permission[]> = {
  owner: ['workspace.read', 'workspace.write', 'workspace.settings.manage', 'users.manage', 'plugins.manage'],
  editor: ['workspace.read', 'workspace.write'],
  viewer: ['workspace.read'],
}

const rank: Record<WorkspaceRole, number> = { viewer: 0, editor: 1, owner: 2 }

/** Whether a member with `role` may do it in the workspace of that role. */
export function mayDo(role: WorkspaceRole, permission: Permission): boolean {
  return rolePermissions[role].includes(permission)
}

/** Whether `role` permits all that `needed` does. */
export function isAtLeast(role: WorkspaceRole, needed: WorkspaceRole): boolean {
  return rank[role] >= rank[needed]
}

/** The one that permits more. */
export function higherRole(a: WorkspaceRole, b: WorkspaceRole): WorkspaceRole {
  return isAtLeast(a, b) ? a : b
}
