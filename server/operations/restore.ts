/**
 * Puts a backup in the place of the database: verified first, never beside a running server, and what was there is kept
 * under another name. The versions go on above all that were ever given, with the horizon there, so that every device
 * is told to take a snapshot, whenever it comes (P10).
 */
import { constants } from 'node:fs'
import { access, copyFile, link, open, realpath, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ensurePrivateFolder } from '../lib/private-file.ts'
import { DatabaseSync } from 'node:sqlite'
import type { Migration } from '../database/migrate.ts'
import { takeOwnerLock } from '../database/local/owner-lock.ts'
import { flushFolder, copyOwnership } from './backup.ts'
import { BackupError, copyDatabase, type LedgerRow, verifyDatabase, type VerifiedFile } from './copy.ts'
import { skippedVersionsName } from './copy-script.ts'

export interface RestoreResult extends VerifiedFile {
  /** Where the database that was there is now, or what there was of it; null where there was nothing. */
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
  await verify(from, migrations)
  await ensurePrivateFolder(dirname(to))
  const path = await realpath(to).catch(() => to)
  if (path === await realpath(from)) throw new BackupError('That file is the database itself.')
  const lock = await takeOwnerLock(path, 0)
  const incoming = `${path}.restoring`
  try {
    // Of one that was ended: its journal would be applied to this copy.
    await removeParts(incoming)
    // Not the file alone: one that a server left behind has the newest changes in its log.
    const restored = assertFits(await copyDatabase(from, incoming), migrations)
    skipVersions(incoming, readHeads(path))
    await flushFile(incoming)
    if (await exists(path)) {
      for (const made of [incoming, `${path}-owner`]) await copyOwnership(made, path)
    }
    const replaced = await keepReplaced(path)
    await rename(incoming, path)
    await flushFolder(dirname(path))
    return { ...restored, replaced }
  }
  finally {
    await removeParts(incoming)
    lock.close()
  }
}

/**
 * A version that devices know must not be given again to another change. The replaced file knows the newest versions.
 * Where it is lost the time in ms is taken: it is higher than any head. The horizon is raised too, so that a device
 * whose cursor lies in the forgotten part takes a snapshot; it would else keep rows that the server no longer has.
 */
function skipVersions(path: string, given: ReadonlyMap<string, number>) {
  const database = new DatabaseSync(path)
  try {
    database.exec('begin')
    const stored = headsOf(database)
    const move = database.prepare(`insert into logs (workspace_id, head, horizon) values (?, ?, ?)
      on conflict (workspace_id) do update set head = excluded.head, horizon = excluded.horizon`)
    let skipped = 0
    // A host that keeps its workspaces elsewhere still has those that are younger than the backup.
    for (const id of new Set([...stored.keys(), ...given.keys()])) {
      const head = stored.get(id) ?? 0
      const next = Math.max(head, given.get(id) ?? 0, Date.now()) + 1
      move.run(id, next, next)
      skipped += next - head
    }
    database.prepare(
      'insert into layer_state (name, value) values (?, ?) '
      + 'on conflict (name) do update set value = value + excluded.value',
    )
      .run(skippedVersionsName, String(skipped))
    database.exec('commit')
  }
  finally {
    database.close()
  }
}

/** By workspace; none where there is no database, or one too damaged to be read. */
function readHeads(path: string): Map<string, number> {
  try {
    const database = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
    try {
      return headsOf(database)
    }
    finally {
      database.close()
    }
  }
  catch {
    return new Map()
  }
}

function headsOf(database: DatabaseSync): Map<string, number> {
  const rows = database.prepare('select workspace_id, head from logs').all()
  return new Map(rows.map(({ workspace_id, head }) => [String(workspace_id), Number(head)]))
}

async function verify(path: string, migrations: readonly Migration[]) {
  await access(path, constants.R_OK).catch(() => {
    throw new BackupError(`There is no readable file ${path}.`)
  })
  assertFits(await verifyDatabase(path), migrations)
}

function assertFits(verified: VerifiedFile, migrations: readonly Migration[]): VerifiedFile {
  const [layer] = verified.ledgers
  if (layer.length === 0) throw new BackupError('That is not a backup of this layer: it has none of its migrations.')
  if (layer.length > migrations.length) {
    throw new BackupError('That backup is of a newer release: install that one first.')
  }
  const differs = (row: LedgerRow, index: number) => row.hash !== migrations[index]!.hash
  if (layer.some(differs)) throw new BackupError('That backup was made with other migrations than this release has.')
  return verified
}

/** What SQLite would apply to the file that it finds beside them. */
const logs = ['-wal', '-shm', '-journal']

/**
 * A second name for the old file, so that at no moment there is none: a server started then would make an empty one.
 * Its log must be gone before, or SQLite would apply it to the file that comes.
 */
async function keepReplaced(path: string): Promise<string | null> {
  const replaced = `${path}.replaced-${new Date().toISOString().replaceAll(/[:.]/g, '-')}`
  const kept: string[] = []
  if (await exists(path)) {
    truncateWal(path)
    await link(path, replaced).catch(() => copyFile(path, replaced, constants.COPYFILE_EXCL))
    kept.push(replaced)
  }
  // Still there only where the old file is lost, or too damaged to be opened.
  for (const suffix of logs) {
    if (!await exists(`${path}${suffix}`)) continue
    await rename(`${path}${suffix}`, `${replaced}${suffix}`)
    kept.push(`${replaced}${suffix}`)
  }
  await flushFolder(dirname(path))
  return kept[0] ?? null
}

async function removeParts(path: string) {
  for (const suffix of ['', ...logs]) await rm(`${path}${suffix}`, { force: true })
}

/** The last connection to close a whole database removes its log. */
function truncateWal(path: string) {
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
