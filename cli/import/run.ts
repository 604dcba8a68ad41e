/** An import, told as one story: is there room, read the old file, write the new one, compare them, put it in place. */
import { realpath } from 'node:fs/promises'
import type { Migration } from '../../server/database/migrate.ts'
import { importPeople, peopleTables } from './accounts.ts'
import { hostStoreTables, importHostStores } from './host-stores.ts'
import { createReport, type ImportReport } from './report.ts'
import { createSource, type Source } from './source.ts'
import { ImportError, openSourceFile } from './source-file.ts'
import { importHistory } from './sync-history.ts'
import { openTarget, takePlace, type TargetPaths, targetPaths } from './target.ts'
import { verifyImport } from './verify.ts'

export interface ImportOptions {
  from: string
  to: string
  /** The layer's own. */
  migrations: readonly Migration[]
  onProgress?: ((progress: ImportProgress) => void) | undefined
  /** Ends the import; nothing is left of it. */
  signal?: AbortSignal | undefined
}

export interface ImportProgress {
  phase: 'Copying' | 'Comparing'
  /** In rows of the old database. */
  done: number
  total: number
}

/** Throws `ImportError` with a sentence for the operator. The old file is never changed. */
export async function runImport(options: ImportOptions): Promise<ImportReport> {
  const paths = targetPaths(options.to)
  if (await isSameFile(options.from, paths.path)) {
    throw new ImportError('The new file must be another one than the old: give --to a path where no file is.')
  }
  const place = await takePlace(paths)
  try {
    return await importTo(paths, options)
  }
  finally {
    await place.release()
  }
}

async function importTo(
  paths: TargetPaths,
  { from, migrations, onProgress, signal }: ImportOptions,
): Promise<ImportReport> {
  const file = await openSourceFile(from, paths.copyFolder)
  try {
    const source = createSource(file.database, from)
    const target = await openTarget(paths, migrations)
    try {
      const report = createReport(source.revision)
      const copying = follow('Copying', countAll(source), { onProgress, signal })
      await importPeople(target.database, source, report, copying)
      await importHostStores(target.database, source, report, copying)
      await importHistory(target.database, source, report, copying)
      report.leftBehind = source.unknownTables()
      await verifyImport(
        target.database, source, report,
        follow('Comparing', countHistory(source), { onProgress, signal }),
      )
      await file.assertUnchanged()
      await target.commit()
      return report
    }
    finally {
      await target.discard()
    }
  }
  finally {
    await file.close()
  }
}

function follow(
  phase: ImportProgress['phase'],
  total: number,
  { onProgress, signal }: Pick<ImportOptions, 'onProgress' | 'signal'>,
) {
  let done = 0
  return (rows: number) => {
    if (signal?.aborted) throw new ImportError('The import was stopped: nothing was put in place.')
    done += rows
    onProgress?.({ phase, done, total })
  }
}

function countAll(source: Source): number {
  return [...peopleTables, ...hostStoreTables]
    .reduce((total, table) => total + source.count(table), countHistory(source))
}

function countHistory(source: Source): number {
  return ['change_log', 'tombstones', ...source.rowTables].reduce((total, table) => total + source.count(table), 0)
}

async function isSameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([a, b].map(path => realpath(path).catch(() => undefined)))
  return first !== undefined && first === second
}
