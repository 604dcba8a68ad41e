/**
 * Opens the database at PATH as a server would, from a process or a worker thread of its own: says `open`, or the one
 * sentence of the refusal. A process closes it when its stdin ends; a thread waits to be terminated.
 * `node database-owner.ts PATH [MIGRATIONS_FOLDER]`; with `AS_NOBODY` it is a user to whom nothing belongs, where it may be.
 */
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { readDatabaseConfig } from '../../server/config/database.ts'
import { openDatabase } from '../../server/database/local/open.ts'
import { users } from '../../server/database/schema/index.ts'

const [path, migrationsFolder = fileURLToPath(new URL('../../drizzle', import.meta.url))] = isMainThread
  ? process.argv.slice(2)
  : [String(workerData)]
if (process.env['AS_NOBODY'] && process.getuid!() === 0) process.setuid!(65_534)
const say = (text: string) => isMainThread ? console.log(text) : parentPort?.postMessage(text)

try {
  const config = readDatabaseConfig({ ...process.env, OR3_SQLITE_DB_PATH: path })
  const database = await openDatabase(config, { layer: readMigrationFiles({ migrationsFolder }), app: [] }, { ownerTimeoutMs: 1_000 })
  await database.write(tx => tx.insert(users).values({ id: `owner ${process.pid} ${Math.random()}`, createdAt: 1 }))
  say('open')
  if (isMainThread) {
    process.stdin.resume().on('close', () => void database.close().then(() => say('closed')))
  }
  else {
    setInterval(() => {}, 60_000)
  }
}
catch (error) {
  say(error instanceof Error ? `${error.name}: ${error.message}` : String(error))
  process.exitCode = 1
}
