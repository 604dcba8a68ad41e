/**
 * `backup` copies the database of a stopped or running server; `restore FILE` puts a backup in its place, the server
 * stopped. Which database it is, the environment says as it does to the server.
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { readDatabaseConfig } from '../db/config.ts'
import { backUp } from './backup.ts'
import { restoreBackup } from './restore.ts'

export const opsUsage = `or3-layer-sqlite backup            copies the database, the server running or stopped
       or3-layer-sqlite restore <copy>    puts it back, the server stopped; keeps what it replaces`

interface Streams { stdout: NodeJS.WritableStream, stderr: NodeJS.WritableStream }

const migrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url))

/** Runs what `args` say and gives the exit code. */
export async function runCommand(args: readonly string[], env: Record<string, string | undefined>, { stdout, stderr }: Streams): Promise<number> {
  const say = (line: string) => stdout.write(`${line}\n`)
  const [command, file, ...more] = args
  const configure = () => {
    const config = readDatabaseConfig(env)
    // A shell does not know what the server was started with.
    if (config.warning) stderr.write(`${config.warning}\n`)
    return config
  }
  try {
    if (command === 'backup' && file === undefined) {
      const { name, bytes, workspaces, changes, tookMs, removed } = await backUp(configure())
      say(`${name}: ${bytes} bytes, ${workspaces} workspaces, ${changes} changes, verified, in ${tookMs} ms; ${removed} older removed`)
    }
    else if (command === 'restore' && file !== undefined && more.length === 0) {
      const { path } = configure()
      const { workspaces, changes, replaced } = await restoreBackup({ from: resolve(file), to: path, migrations: readMigrationFiles({ migrationsFolder }) })
      say(`${path} is now ${file}: ${workspaces} workspaces, ${changes} changes.`)
      if (replaced) say(`What was there is kept as ${replaced}`)
    }
    else {
      throw new Error(`Usage: ${opsUsage}`)
    }
    return 0
  }
  catch (error) {
    stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}
