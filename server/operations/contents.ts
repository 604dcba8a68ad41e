/** How much the open database holds: what the admin card shows, and what the log says at each start. */
import { sql } from 'drizzle-orm'
import type { SyncDatabase } from '../database/types.ts'
import { livingWorkspaceIds } from '../workspaces/living-workspaces.ts'
import { skippedVersionsName } from './copy-script.ts'

export interface Contents {
  /** Living ones, as a backup counts them. */
  workspaces: number
  users: number
  /** How many were ever accepted: the sum of all heads, less what a restore skipped. */
  changes: number
}

/** Counts workspaces, users and changes in one statement. */
export async function readContents(database: SyncDatabase): Promise<Contents> {
  const [counts] = await database.read.all<Contents>(sql`
    select (select count(*) from (${livingWorkspaceIds})) as workspaces,
      (select count(*) from users) as users,
      (select coalesce(sum(head), 0) from logs)
        - (select coalesce(sum(value), 0) from layer_state where name = ${skippedVersionsName}) as changes`)
  return counts!
}

/** `3 workspaces, 120 changes`; says so where they cannot be read, since a damaged file is served as far as it goes. */
export async function describeContents(database: SyncDatabase): Promise<string> {
  return readContents(database).then(
    ({ workspaces, changes }) =>
      `${workspaces} workspace${workspaces === 1 ? '' : 's'}, ${changes} change${changes === 1 ? '' : 's'}`,
    () => 'its contents cannot be counted')
}
