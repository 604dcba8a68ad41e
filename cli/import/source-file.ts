/**
 * Opens the old database so that neither its file nor any file beside it changes. Without a write-ahead log or a
 * journal it is opened in place, as immutable. With one it is copied first, and SQLite recovers the copy. Node's own
 * SQLite reads it, which shares nothing with the engine that writes the new file.
 */
import { constants } from 'node:fs'
import { copyFile, mkdir, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'

/** The operator reads its message as it is. */
export class ImportError extends Error {
  override name = 'ImportError'
}

export interface SourceFile {
  readonly database: DatabaseSync
  /** Throws `ImportError` where somebody has written to the file since it was opened. */
  assertUnchanged(): Promise<void>
  close(): Promise<void>
}

/** What may hold a part of the data. */
const parts = ['', '-wal', '-journal']

/** `copyFolder` is made where a copy is needed, and removed by `close`. */
export async function openSourceFile(given: string, copyFolder: string): Promise<SourceFile> {
  const path = resolve(given)
  const before = await describe(path)
  if (before[0] === undefined) throw new ImportError(`There is no file ${path}.`)
  const isWhole = before.slice(1).every(part => part === undefined || part.size === 0)
  const assertUnchanged = async () => {
    const now = await describe(path)
    if (JSON.stringify(now) !== JSON.stringify(before)) {
      throw new ImportError(`${path} changed while it was read: stop every server that uses it, and start again.`)
    }
  }
  const copy = isWhole ? undefined : await copyParts(path, before, copyFolder)
  await assertUnchanged()
  const database = open(copy ?? new URL(`${pathToFileURL(path)}?immutable=1`), path, isWhole)
  return {
    database,
    assertUnchanged,
    async close() {
      database.close()
      await rm(copyFolder, { recursive: true, force: true })
    },
  }
}

function open(file: string | URL, path: string, readOnly: boolean): DatabaseSync {
  try {
    const database = new DatabaseSync(file, { readOnly })
    // Reads the first page: a file of another kind says so here.
    database.prepare('select count(*) from sqlite_master').get()
    return database
  }
  catch (error) {
    throw new ImportError(
      `${path} cannot be read as an SQLite database: ${error instanceof Error ? error.message : String(error)}`,
    )
  }
}

async function copyParts(path: string, sizes: readonly (object | undefined)[], folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const copy = join(folder, 'source.db')
  for (const [index, part] of parts.entries()) {
    if (sizes[index]) await copyFile(`${path}${part}`, `${copy}${part}`, constants.COPYFILE_FICLONE)
  }
  return copy
}

async function describe(path: string) {
  return Promise.all(parts.map(part => stat(`${path}${part}`)
    .then(({ size, mtimeMs, ino }) => ({ size, mtimeMs, ino }), () => undefined)))
}
