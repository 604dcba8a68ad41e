/** The command line: `or3-layer-sqlite import <old.db> [--to <new.db>]`. Its other commands are in server/ops. */
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { readDatabaseConfig } from '../db/config.ts'
import { opsUsage } from '../ops/command.ts'
import { createProgressBar } from './progress-bar.ts'
import type { ImportReport } from './report.ts'
import { runImport } from './run.ts'
import { ImportError } from './source-file.ts'
import { writeSummary } from './summary.ts'

const usage = `Usage: or3-layer-sqlite import <old.db> [--to <new.db>]
       ${opsUsage}

import copies a database of or3-provider-sqlite into a new one of this layer and compares the two.
Stop the server first. The old file is not changed. Without --to the new one goes where
OR3_SQLITE_DB_PATH says.
`

interface Streams { stdout: NodeJS.WritableStream, stderr: NodeJS.WritableStream & { isTTY?: boolean, columns?: number } }

/** Runs what `args` say and gives the exit code. */
export async function runCommand(
  args: readonly string[],
  env: Record<string, string | undefined>,
  streams: Streams,
  signal?: AbortSignal,
): Promise<number> {
  try {
    const { positionals, values } = readArguments(args)
    if (values.help || positionals.length === 0) {
      streams.stdout.write(usage)
      return values.help ? 0 : 1
    }
    const [command, from, ...more] = positionals
    if (command !== 'import' || from === undefined || more.length > 0) throw new ImportError(usage.trimEnd())
    const to = values.to ?? readTarget(env)
    writeSummary(streams.stdout, await importWithBar({ from, to }, streams, signal), to)
    return 0
  }
  catch (error) {
    streams.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

async function importWithBar(files: { from: string, to: string }, { stderr }: Streams, signal?: AbortSignal): Promise<ImportReport> {
  const bar = createProgressBar(stderr)
  try {
    const migrations = readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../../drizzle', import.meta.url)) })
    return await runImport({ ...files, migrations, signal, onProgress: bar.show })
  }
  finally {
    bar.clear()
  }
}

function readArguments(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: { to: { type: 'string' }, help: { type: 'boolean', short: 'h' } } })
  }
  catch (error) {
    throw new ImportError(`${error instanceof Error ? error.message : String(error)}\n\n${usage.trimEnd()}`)
  }
}

function readTarget(env: Record<string, string | undefined>): string {
  if (!env.OR3_SQLITE_DB_PATH?.trim()) throw new ImportError('Where to? Give --to <new.db>, or set OR3_SQLITE_DB_PATH.')
  const { path } = readDatabaseConfig(env)
  if (path === ':memory:') throw new ImportError('OR3_SQLITE_DB_PATH is ":memory:": give --to <new.db>.')
  return path
}
