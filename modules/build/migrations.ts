/** Inlines the migration histories, the layer's and the app's own, into the server. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readMigrationFiles } from 'drizzle-orm/migrator'

/** Whether the folder has the drizzle history of an SQLite database. An app may keep another database's there. */
export function isSqliteHistory(folder: string): boolean {
  const journal = join(folder, 'meta/_journal.json')
  if (!existsSync(journal)) return false
  const { dialect } = JSON.parse(readFileSync(journal, 'utf8')) as { dialect?: string }
  return dialect === 'sqlite' || dialect === 'turso'
}

/** The module's text; `appFolder` is undefined where the app has no history. */
export function writeMigrations(layerFolder: string, appFolder: string | undefined): string {
  return [
    `export const layer = ${inline(layerFolder)}`,
    `export const app = ${appFolder === undefined ? '[]' : inline(appFolder)}`,
  ].join('\n')
}

function inline(folder: string): string {
  const migrations = readMigrationFiles({ migrationsFolder: folder })
  return JSON.stringify(migrations.map(({ sql, folderMillis, hash }) => ({ sql, folderMillis, hash })))
}
