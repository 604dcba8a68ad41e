/**
 * Tells listeners inside the process that somebody may have lost rights, after the commit that did it. It does not say
 * which rights are left: a listener reads them anew. A change made by another server on the same database, or by the
 * auth provider alone, is not told; a listener that holds rights for long also reads them from time to time.
 */
import { createFeed } from '../lib/feed.ts'

/** Whose rights to read anew: everybody's in the workspace, one user's everywhere, or one user's in one workspace. */
export type RightsChange = { workspaceId: string, userId?: string } | { workspaceId?: undefined, userId: string }

/** One for the process: a listener that reads rights of another database finds them unchanged. */
export const rightsChanges = createFeed<RightsChange>('rights')
