/**
 * Puts a backup in the place of the database: verified first, never beside a running server, and what was there is kept
 * under another name. Devices that know of newer changes are told to take a snapshot (P10).
 */
import { constants } from 'node:fs'
import { access, copyFile, link, mkdir, open, realpath, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Migration } from '../db/migrate.ts'
import { takeOwnerLock } from '../db/owner-lock.ts'
import { flushFolder } from './backup.ts'
import { BackupError, type LedgerRow, verifyDatabase, type VerifiedFile } from './copy.ts'

export interface RestoreResult extends VerifiedFile {
  /** Where the database that was there is now; null where there was none. */
  replaced: string | null
}

export interface RestoreOptions {
  from: string
  /** The database's path. */
  to: string
  /** This release's migrations: a backup of a newer one is refused. */
  migrations: readonly Migration[]
}

/** Throws `BackupError` or `DatabaseInUseError`, and has changed nothing then. */
export async function restoreBackup({ from, to, migrations }: RestoreOptions): Promise<RestoreResult> {
  const verified = await verify(from, migrations)
  await mkdir(dirname(to), { recursive: true })
  const path = await realpath(to).catch(() => to)
  if (path === await realpath(from)) throw new BackupError('That file is the database itself.')
  const lock = await takeOwnerLock(path, 0)
  const incoming = `${path}.restoring`
  try {
    await copyFile(from, incoming)
    await flushFile(incoming)
    await verify(incoming, migrations)
    const replaced = await keepReplaced(path)
    await rename(incoming, path)
    await flushFolder(dirname(path))
    return { ...verified, replaced }
  }
  finally {
    await rm(incoming, { force: true })
    lock.close()
  }
}

async function verify(path: string, migrations: readonly Migration[]): Promise<VerifiedFile> {
  await access(path, constants.R_OK).catch(() => {
    throw new BackupError(`There is no readable file ${path}.`)
  })
  const verified = await verifyDatabase(path)
  const [layer] = verified.ledgers
  if (layer.length === 0) throw new BackupError('That is not a backup of this layer: it has none of its migrations.')
  if (layer.length > migrations.length) throw new BackupError('That backup is of a newer release: install that one first.')
  const differs = (row: LedgerRow, index: number) => row.hash !== migrations[index]!.hash
  if (layer.some(differs)) throw new BackupError('That backup was made with other migrations than this release has.')
  return verified
}

/**
 * A second name for the old file, so that at no moment there is none: a server started then would make an empty one.
 * Its log must be gone before, or SQLite would apply it to the file that comes.
 */
async function keepReplaced(path: string): Promise<string | null> {
  if (!await exists(path)) {
    await rm(`${path}-wal`, { force: true })
    return null
  }
  const replaced = `${path}.replaced-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`
  emptyLog(path)
  await link(path, replaced).catch(() => copyFile(path, replaced, constants.COPYFILE_EXCL))
  // Still there only where the old file is too damaged to be opened.
  for (const suffix of ['-wal', '-shm', '-journal']) {
    if (await exists(`${path}${suffix}`)) await rename(`${path}${suffix}`, `${replaced}${suffix}`)
  }
  await flushFolder(dirname(path))
  return replaced
}

/** The last connection to close a whole database removes its log. */
function emptyLog(path: string) {
  try {
    const database = new DatabaseSync(path, { timeout: 5_000 })
    try {
      database.exec('pragma wal_checkpoint(truncate)')
    }
    finally {
      database.close()
    }
  }
  catch {
    // A damaged file is why one restores.
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false)
}

async function flushFile(path: string) {
  const handle = await open(path, 'r+')
  await handle.sync()
  await handle.close()
}
