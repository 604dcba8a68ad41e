/**
 * Opens the database file: checks its place and contents, takes the owner lock, opens one connection that writes and
 * one that reads, sets and asserts their pragmas, applies the migrations, and proves that it can write. Upholds P1 and
 * P14.
 */
import { existsSync, rmSync } from 'node:fs'
import type { Client } from '@libsql/core/api'
import { consola } from 'consola'
import { getTableName, getViewName, is, Table, View } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/libsql/web'
import { retryWhileBusy } from '../busy.ts'
import type { DatabaseConfig } from '../../config/database.ts'
import { createCondition } from '../condition.ts'
import { createLocalClient } from './client.ts'
import { assertOwnContents } from './file-contents.ts'
import { createFileIdentity, type FileIdentity } from './file-identity.ts'
import { prepareFile } from './file-place.ts'
import { assertPragmas, type Pragma, pragmasFor, pragmasOfWalCheckpointer, pragmasOfWriter } from './pragmas.ts'
import { proveWritable } from './prove-writable.ts'
import { createWalCheckpointer, truncateWal } from './wal-checkpointer.ts'
import { appLedgerTable, applyMigrations, ledgerTable, MigrationError } from '../migrate.ts'
import { assertNotOpenElsewhere, DatabaseInUseError, takeOwnerLock } from './owner-lock.ts'
import * as schema from '../schema/index.ts'
import type { LocalFile, Migrations, SyncDatabase } from '../types.ts'
import { createWriter, type Writer } from '../writer.ts'
import { nowSeconds } from '../../lib/clock.ts'

export interface OpenOptions {
  /** How long a write waits for another process's lock before it is refused, in milliseconds. */
  busyTimeoutMs?: number
  /** How long the start waits for another owner of the file to end, in milliseconds. */
  ownerTimeoutMs?: number
  /** Stands between a connection and all that runs on it. */
  wrapClient?: (client: Client) => Client
}

/** Shorter than the hosts' 10 s request limits, longer than a backup's or a studio's lock. */
const defaultBusyTimeoutMs = 5_000

/** A restart or a dev reload overlaps with the one before it for less than this. */
const defaultOwnerTimeoutMs = 3_000

/**
 * Throws `DatabaseInUseError`, `MigrationError`, or an error that says which file failed and how; nothing stays open
 * then.
 */
export async function openDatabase(
  config: DatabaseConfig, migrations: Migrations, options: OpenOptions = {},
): Promise<SyncDatabase> {
  const opened: { close(): void }[] = []
  try {
    return await (config.path === ':memory:' ? openInMemory : openFile)(config, migrations, options, opened)
  }
  catch (error) {
    closeAll(opened)
    if (error instanceof DatabaseInUseError || error instanceof MigrationError) throw error
    throw new Error(
      `The database ${config.path} cannot be opened: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    )
  }
}

type Opened = { close(): void }[]

async function openInMemory(
  config: DatabaseConfig, migrations: Migrations, options: OpenOptions, opened: Opened,
): Promise<SyncDatabase> {
  const busyTimeoutMs = options.busyTimeoutMs ?? defaultBusyTimeoutMs
  const client = await connect({ path: config.path }, pragmasFor(config), options, opened)
  await migrate(client, migrations)
  const writer = createWriter(client, { busyTimeoutMs })
  return toDatabase(writer, client, null, () => closeAll(opened))
}

async function openFile(
  config: DatabaseConfig, migrations: Migrations, options: OpenOptions, opened: Opened,
): Promise<SyncDatabase> {
  const busyTimeoutMs = options.busyTimeoutMs ?? defaultBusyTimeoutMs
  const { path, names } = await prepareFile(config.path)
  const prepared = createFileIdentity([config.path])
  const lock = await lockFile(path, names, options.ownerTimeoutMs ?? defaultOwnerTimeoutMs, migrations.app.length > 0)
  opened.push(lock)
  const hasLog = config.journalMode === 'WAL'
  if (names > 1 && !hasLog) {
    throw new Error('it has hard links, and only in journal mode WAL can the layer tell that '
      + 'another server has it open: leave it one name')
  }
  const place: { identity?: FileIdentity } = {}
  const condition = createCondition(() => place.identity?.findMoved())
  // The writer waits by itself: each job has its own deadline.
  const writing = await connect({ path, commitsOffLoop: hasLog, onFailure: error => condition.noteDamage(error) },
    { ...pragmasFor(config), ...pragmasOfWriter, ...hasLog && pragmasOfWalCheckpointer }, options, opened)
  await retryWhileBusy(busyTimeoutMs, () => migrate(writing, migrations))
  await proveWritable(writing, path, busyTimeoutMs)
  // Nothing may be written beside the one writer.
  const reading = await connect(
    { path, commitsOffLoop: hasLog, busyTimeoutMs, onFailure: error => condition.noteFailure(error, 'read') },
    { ...pragmasFor(config), query_only: { set: 'ON', is: 1 } }, options, opened)
  // The path as it was given: where that is a link, the next start would follow it again.
  const identity = place.identity = createFileIdentity([config.path, ...hasLog ? [`${path}-wal`] : []])
  // Migrations may take long: what is watched from now on must be what was opened.
  const moved = prepared.findMoved()
  if (moved !== undefined) throw new Error(moved)
  const checkpoint = hasLog ? createWalCheckpointer(writing, path) : undefined
  const writer = createWriter(writing, {
    busyTimeoutMs, condition,
    // The log of a file that lost its place must not be applied to the file that took it.
    afterCommit: () => condition.isMoved ? truncateWal(writing, path).then(() => {}) : checkpoint?.(),
  })
  return toDatabase(writer, reading, { path, truncateWal: () => truncateWal(writing, path) }, async () => {
    await truncateWal(writing, path)
    if (identity.findMoved() === undefined) return closeAll(opened)
    abandoned.push(writing, reading)
    lock.close()
  })
}

/**
 * Connections to a file that lost its place. SQLite deletes the write-ahead log by its name when the last connection
 * closes, and by then the name may be another database's.
 */
const abandoned: Client[] = []

/** Takes the owner lock. A lock file that was made for a file which is then refused is removed again. */
async function lockFile(
  path: string, names: number, timeoutMs: number, hasAppHistory: boolean,
): Promise<{ close(): void }> {
  const isNew = !existsSync(`${path}-owner`)
  const lock = await takeOwnerLock(path, timeoutMs)
  try {
    if (names > 1) {
      await assertNotOpenElsewhere(path, timeoutMs)
      warnOfLinks(path, names)
    }
    await retryWhileBusy(timeoutMs, () => assertOwnContents(path, hasAppHistory))
    return lock
  }
  catch (error) {
    lock.close()
    if (isNew) rmSync(`${path}-owner`, { force: true })
    throw error
  }
}

function warnOfLinks(path: string, names: number) {
  consola.withTag('or3-sync').warn(`The database file ${path} has ${names} names (hard links), and its write-ahead log `
    + 'belongs to one of them: leave it one name, or a start under another one misses what was written last.')
}

/** Opens one connection, sets its pragmas and asserts them. */
function connect(
  target: LocalClientTarget, pragmas: Record<string, Pragma>, options: OpenOptions, opened: Opened,
): Promise<Client> {
  return retryWhileBusy(options.busyTimeoutMs ?? defaultBusyTimeoutMs, async () => {
    const settings = Object.entries(pragmas).map(([name, { set }]) => `PRAGMA ${name} = ${set}`)
    const client = createLocalClient({ ...target, pragmas: settings })
    opened.push(client)
    await assertPragmas(client, pragmas)
    return options.wrapClient?.(client) ?? client
  })
}

type LocalClientTarget = Omit<Parameters<typeof createLocalClient>[0], 'pragmas'>

function toDatabase(
  writer: Writer, reading: Client, local: LocalFile | null, closeFiles: () => void | Promise<void>,
): SyncDatabase {
  const close = async () => {
    await writer.drain()
    await closeFiles()
  }
  let closing: Promise<void> | undefined
  return {
    activity: writer.activity,
    read: drizzle(reading),
    write: writer.write,
    now: nowSeconds,
    grouped: null,
    local,
    close: () => closing ??= close(),
  }
}

function closeAll(opened: Opened) {
  for (const one of opened.splice(0).reverse()) one.close()
}

/** Applies and verifies the layer's history, then the app's. Throws `MigrationError`. */
export async function migrate(client: Client, migrations: Migrations): Promise<void> {
  await applyMigrations(
    client, { owner: 'the layer', ledger: ledgerTable, migrations: migrations.layer, required: requiredTables() },
  )
  if (migrations.app.length > 0) {
    await applyMigrations(
      client, { owner: 'the app', ledger: appLedgerTable, migrations: migrations.app, required: [] },
    )
  }
}

function requiredTables(): string[] {
  return Object.values(schema)
    .map(entry => is(entry, View) ? getViewName(entry) : is(entry, Table) ? getTableName(entry) : '')
    .filter(name => name !== '')
}
