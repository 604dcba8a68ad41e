/**
 * Backups of the open database: an online copy by a child process, verified before it gets its name, the last few kept.
 * A file with a backup's name is a whole database. Restoring one is `restore.ts`. Upholds P10 with it.
 */
import { chmod, chown, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import process from 'node:process'
import { ensurePrivateFolder } from '../lib/private-file.ts'
import { readNumber } from '../config/setting.ts'
import { copyDatabase, BackupError } from './copy.ts'

export interface BackupOptions {
  /** Where the copies go; default `OR3_SQLITE_BACKUP_DIR`, else `backups` beside the database. */
  folder?: string | undefined
  /** How many are kept; default `OR3_SQLITE_BACKUP_KEEP`, else 7. */
  keep?: number | undefined
  /** Aborted, the copying ends and nothing is left of it. */
  signal?: AbortSignal | undefined
}

export interface Backup {
  /** The file's name within the folder. */
  name: string
  bytes: number
  /** ISO 8601. */
  createdAt: string
}

export interface BackupResult extends Backup {
  workspaces: number
  changes: number
  tookMs: number
  /** How many older ones were removed. */
  removed: number
}

/** A week of daily ones. */
const defaultKeep = 7
const unfinished = '.partial'
/** No copy takes so long: what is older was left behind by a process that died. */
const abandonedAfterMs = 6 * 3_600_000

const running = new Map<string, Promise<BackupResult>>()

/**
 * Makes a verified copy beside the running server; asked twice at once it makes one. Throws `BackupError`, also for a
 * database in memory; an older backup is never lost to a failed one.
 */
export function backUp(file: { path: string } | null, options: BackupOptions = {}): Promise<BackupResult> {
  const path = file?.path ?? ':memory:'
  if (path === ':memory:') {
    return Promise.reject(new BackupError('The database is in memory: there is no file to back up.'))
  }
  const under = running.get(path)
  if (under) return under
  const made = makeBackup(path, backupFolder(path, options), options).finally(() => running.delete(path))
  running.set(path, made)
  return made
}

/** The finished backups of the database, newest first. */
export async function listBackups(path: string, options: BackupOptions = {}): Promise<Backup[]> {
  if (path === ':memory:') return []
  const folder = backupFolder(path, options)
  const names = await readdir(folder).catch(() => [])
  const backups = names.flatMap((name) => {
    const createdAt = readMoment(path, name)
    return createdAt === undefined ? [] : [{ name, createdAt }]
  })
  backups.sort((a, b) => b.createdAt.localeCompare(a.createdAt))
  const sizeOf = (name: string) => stat(join(folder, name)).then(({ size }) => size, () => 0)
  return Promise.all(backups.map(async backup => ({ ...backup, bytes: await sizeOf(backup.name) })))
}

/** The newest backup's moment, by its name alone; null where there is none. */
export async function readLastBackupAt(
  file: { path: string } | null,
  options: BackupOptions = {},
): Promise<string | null> {
  const path = file?.path ?? ':memory:'
  const names = path === ':memory:' ? [] : await readdir(backupFolder(path, options)).catch(() => [])
  return names.map(name => readMoment(path, name) ?? '').sort().at(-1) || null
}

async function makeBackup(
  path: string,
  folder: string,
  { keep = readKeep(), signal }: BackupOptions,
): Promise<BackupResult> {
  const startedAt = performance.now()
  const isMissing = await stat(path)
    .then(() => false, (error: NodeJS.ErrnoException) => ['ENOENT', 'ENOTDIR'].includes(error.code ?? ''))
  if (isMissing) {
    throw new BackupError('There is no database file to copy. Set OR3_SQLITE_DB_PATH to the one that the server has.')
  }
  await ensurePrivateFolder(folder)
  await removeAbandoned(path, folder)
  const createdAt = new Date().toISOString()
  const name = `${stem(path)}-${createdAt.replaceAll(':', '-').replace('.', '-')}.db`
  const partial = join(folder, `${name}.${process.pid}${unfinished}`)
  try {
    const { workspaces, changes } = await copyDatabase(path, partial, signal)
    await copyOwnership(partial, path)
    await rename(partial, join(folder, name))
    await flushFolder(folder)
    const { size: bytes } = await stat(join(folder, name))
    const removed = await removeOld(path, folder, keep)
    return { name, createdAt, bytes, workspaces, changes, removed, tookMs: Math.round(performance.now() - startedAt) }
  }
  finally {
    await rm(partial, { force: true })
    await rm(`${partial}-journal`, { force: true })
  }
}

async function removeOld(path: string, folder: string, keep: number): Promise<number> {
  const old = (await listBackups(path, { folder })).slice(Math.max(1, keep))
  for (const { name } of old) await rm(join(folder, name), { force: true })
  return old.length
}

async function removeAbandoned(path: string, folder: string) {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(`${stem(path)}-`) || !name.includes(unfinished)) continue
    const { mtimeMs } = await stat(join(folder, name)).catch(() => ({ mtimeMs: Infinity }))
    if (Date.now() - mtimeMs > abandonedAfterMs) await rm(join(folder, name), { force: true })
  }
}

/** Copies mode and owner, so that the same users may read and open the copy. Only root can set the owner. */
export async function copyOwnership(copy: string, original: string): Promise<void> {
  const { mode, uid, gid } = await stat(original)
  await chmod(copy, mode & 0o777)
  await chown(copy, uid, gid).catch(() => {})
}

/** A rename is on disk when its folder is. */
export async function flushFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined)
  // Some systems cannot flush a folder.
  await handle?.sync().catch(() => {})
  await handle?.close()
}

function backupFolder(path: string, { folder }: BackupOptions): string {
  return resolve(folder ?? (process.env['OR3_SQLITE_BACKUP_DIR']?.trim() || join(dirname(path), 'backups')))
}

/** Throws `ConfigError`, whose message names the setting. */
export function readKeep(): number {
  return readNumber({ name: 'OR3_SQLITE_BACKUP_KEEP', value: process.env['OR3_SQLITE_BACKUP_KEEP'] }, { least: 1 })
    ?? defaultKeep
}

function stem(path: string): string {
  return basename(path).replace(/\.(db|sqlite3?)$/, '')
}

const moment = /^(\d{4}-\d\d-\d\dT\d\d)-(\d\d)-(\d\d)-(\d{3})Z\.db$/

/** ISO 8601; undefined where `name` is not a backup's of this database. */
function readMoment(path: string, name: string): string | undefined {
  const prefix = `${stem(path)}-`
  const parts = name.startsWith(prefix) ? moment.exec(name.slice(prefix.length)) : null
  return parts ? `${parts[1]}:${parts[2]}:${parts[3]}.${parts[4]}Z` : undefined
}
