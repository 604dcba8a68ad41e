/**
 * `npm run db:backup` copies the database of a stopped or running server; `npm run db:restore -- FILE` puts a backup in
 * its place, the server stopped. Which database it is, the environment says as it does to the server.
 */
import { resolve } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { readDatabaseConfig } from '../db/config.ts'
import { backUp } from './backup.ts'
import { restoreBackup } from './restore.ts'

const [command, file] = process.argv.slice(2)
const migrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url))

try {
  const { path } = readDatabaseConfig(process.env)
  if (command === 'backup') {
    const { name, bytes, workspaces, changes, tookMs, removed } = await backUp({ path })
    console.log(`${name}: ${bytes} bytes, ${workspaces} workspaces, ${changes} changes, verified, in ${tookMs} ms; ${removed} older removed`)
  }
  else if (command === 'restore' && file) {
    const migrations = readMigrationFiles({ migrationsFolder })
    const { workspaces, changes, replaced } = await restoreBackup({ from: resolve(file), to: path, migrations })
    console.log(`${path} is now ${file}: ${workspaces} workspaces, ${changes} changes.`)
    if (replaced) console.log(`What was there is kept as ${replaced}`)
  }
  else {
    throw new Error('Say `backup`, or `restore` and the file to restore.')
  }
}
catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
