/** How a user's first workspace is named: after its owner, in an app without a host. Pure. */
import { maxNameLength, mendText } from './text.ts'

/** What an OR3 host expects, and the name where nothing is known of the owner. */
export const plainName = 'My Workspace'

/** `{name}` stands for the owner's display name, else for the part of the address before the `@`. */
export const namedAfterOwner = '{name}\'s workspace'

/** The name of a new user's workspace, 1 to 100 characters. */
export function nameWorkspace(
  pattern: string, owner: { email: string | null, displayName: string | null } | undefined,
): string {
  const name = mendText(owner?.displayName, maxNameLength) ?? mendText(owner?.email?.split('@')[0], maxNameLength)
  if (pattern.includes('{name}') && name === undefined) return plainName
  return mendText(pattern.replaceAll('{name}', () => name ?? ''), maxNameLength) ?? plainName
}
