/**
 * The package's command line, started by bin/or3-layer-sqlite.js: `backup`, `restore`, `copy` and `import`. The
 * environment names the database, as it does for the server.
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { readDatabaseConfig } from '../server/config/database.ts'
import { copyDatabase } from './copy/run.ts'
import { createProgressBar } from './import/progress-bar.ts'
import { runImport } from './import/run.ts'
import { writeSummary } from './import/summary.ts'
import { backUp } from '../server/operations/backup.ts'
import { restoreBackup } from '../server/operations/restore.ts'
import { toText } from '../server/config/setting.ts'

const usage = `\
Usage: or3-layer-sqlite backup                           copies the database, the server running or stopped
       or3-layer-sqlite restore <copy>                   puts it back, the server stopped; keeps what it replaces
       or3-layer-sqlite copy <from> <to>                 copies a file into a database server or back, \
the servers stopped
       or3-layer-sqlite import <old.db> [--to <new.db>]  copies a database of or3-provider-sqlite, the server stopped

The database is the file that OR3_SQLITE_DB_PATH names. import makes it anew, or the one of --to, and compares the two;
the old file is not changed.
`

interface Context {
  env: Record<string, string | undefined>
  stdout: NodeJS.WritableStream
  stderr: NodeJS.WritableStream & { isTTY?: boolean, columns?: number }
  /** Aborted, a backup or an import ends and leaves nothing behind. */
  signal: AbortSignal | undefined
}

const migrations = () => readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../drizzle', import.meta.url)) })

/** Runs the command in `args` and gives the exit code; errors go to `stderr`. */
export async function runCommand(
  args: readonly string[],
  env: Context['env'],
  { stdout, stderr }: Pick<Context, 'stdout' | 'stderr'>,
  signal?: AbortSignal,
): Promise<number> {
  const context = { env, stdout, stderr, signal }
  try {
    const { positionals: [command, ...files], values: { help, to } } = readArguments(args)
    if (help) stdout.write(usage)
    else if (command === 'backup' && files.length === 0 && to === undefined) await backup(context)
    else if (command === 'restore' && files.length === 1 && to === undefined) await restore(files[0]!, context)
    else if (command === 'copy' && files.length === 2 && to === undefined) await copy(files[0]!, files[1]!, context)
    else if (command === 'import' && files.length === 1) await importOld(files[0]!, to, context)
    else throw new Error(usage.trimEnd())
    return 0
  }
  catch (error) {
    stderr.write(`${messageOf(error)}\n`)
    return 1
  }
}

async function backup(context: Context) {
  const made = await backUp(configure(context), { signal: context.signal })
  const { name, bytes, workspaces, changes, tookMs, removed } = made
  const size = `${bytes} bytes, ${workspaces} workspaces, ${changes} changes`
  context.stdout.write(`${name}: ${size}, verified, in ${tookMs} ms; ${removed} older removed\n`)
}

async function restore(file: string, context: Context) {
  const { path } = configure(context)
  const restored = await restoreBackup({ from: resolve(file), to: path, migrations: migrations() })
  const { workspaces, changes, replaced } = restored
  context.stdout.write(`${path} is now ${file}: ${workspaces} workspaces, ${changes} changes.\n`)
  if (replaced) context.stdout.write(`What was there is kept as ${replaced}\n`)
}

async function copy(from: string, to: string, { env, stdout, stderr, signal }: Context) {
  const onProgress = stderr.isTTY
    ? (table: string, rows: number) => stderr.write(`\r${rows} rows, ${table}\x1b[K`)
    : undefined
  const { tables, rows, copied, fingerprint, tookMs } = await copyDatabase({
    from, to, env, migrations: migrations(), signal, onProgress,
  })
  if (stderr.isTTY) stderr.write('\r\x1b[K')
  stdout.write(`${rows} rows of ${tables} tables, ${copied} of them now, `
    + `verified (${fingerprint.slice(0, 16)}), in ${tookMs} ms\n`)
}

async function importOld(from: string, to: string | undefined, { env, stdout, stderr, signal }: Context) {
  const target = to ?? readTarget(env)
  const bar = createProgressBar(stderr)
  const report = await runImport({ from, to: target, migrations: migrations(), signal, onProgress: bar.show })
    .finally(bar.clear)
  writeSummary(stdout, report, target)
}

function configure({ env, stderr }: Context) {
  const config = readDatabaseConfig(env)
  // A shell does not know what the server was started with.
  if (config.warning) stderr.write(`${config.warning}\n`)
  return config
}

function readTarget(env: Context['env']): string {
  if (!toText(env['OR3_SQLITE_DB_PATH']) && !toText(env['NUXT_OR3_SQLITE_DB_PATH'])) {
    throw new Error('Where to? Give --to <new.db>, or set OR3_SQLITE_DB_PATH.')
  }
  const { path } = readDatabaseConfig(env)
  if (path === ':memory:') throw new Error('OR3_SQLITE_DB_PATH is ":memory:": give --to <new.db>.')
  return path
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args], allowPositionals: true,
      options: { to: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    })
  }
  catch (error) {
    throw new Error(`${messageOf(error)}\n\n${usage.trimEnd()}`, { cause: error })
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
