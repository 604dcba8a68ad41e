/**
 * What a role permits: the host's table, and the order of the roles. Pure.
 * A permission always concerns the session's active workspace; naming another one denies.
 */
import type { SessionContext } from './session-context.ts'
import type { WorkspaceRole } from '../workspaces/store/types.ts'

export type Permission
  = | 'workspace.read' | 'workspace.write' | 'workspace.settings.manage'
    | 'users.manage' | 'plugins.manage' | 'admin.access'

export const workspaceRoles = ['owner', 'editor', 'viewer'] as const satisfies readonly WorkspaceRole[]

const rolePermissions: Record<WorkspaceRole, readonly Permission[]> = {
  owner: ['workspace.read', 'workspace.write', 'workspace.settings.manage', 'users.manage', 'plugins.manage'],
  editor: ['workspace.read', 'workspace.write'],
  viewer: ['workspace.read'],
}

const rank: Record<WorkspaceRole, number> = { viewer: 0, editor: 1, owner: 2 }

/** Whether the session may do it; with a resource, only where that is its active workspace. */
export function can(
  session: SessionContext | null,
  permission: Permission,
  resource?: { kind: 'workspace', id: string },
): boolean {
  if (!session?.authenticated) return false
  if (permission === 'admin.access') return session.deploymentAdmin === true
  if (!session.role || !rolePermissions[session.role].includes(permission)) return false
  return resource === undefined || resource.id === session.workspace?.id
}

export function isAtLeast(role: WorkspaceRole, needed: WorkspaceRole): boolean {
  return rank[role] >= rank[needed]
}

/** The one that permits more. */
export function higherRole(a: WorkspaceRole, b: WorkspaceRole): WorkspaceRole {
  return isAtLeast(a, b) ? a : b
}
