/**
 * Opens the database: takes the owner lock, opens one connection that writes and one that reads, sets and asserts their
 * pragmas, applies the migrations. What it returns is all that other rooms see of it. A remote client would take the
 * place of the two local ones here.
 */
import { constants } from 'node:fs'
import { access, open, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Client } from '@libsql/core/api'
import { getTableName, getViewName, is, Table, View } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/libsql'
import { retryWhileBusy } from '../busy.ts'
import type { DatabaseConfig } from '../../config/database.ts'
import { ensurePrivateFolder } from '../../lib/private-file.ts'
import { createLocalClient } from './client.ts'
import { createWalCheckpointer, truncateWal } from './wal-checkpointer.ts'
import { appLedgerTable, applyMigrations, ledgerTable, MigrationError } from '../migrate.ts'
import { DatabaseInUseError, takeOwnerLock } from './owner-lock.ts'
import * as schema from '../schema/index.ts'
import type { Migrations, SyncDatabase } from '../types.ts'
import { createWriter } from '../writer.ts'

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

/** Throws `DatabaseInUseError`, `MigrationError`, or an error that says which file failed and how; nothing stays open then. */
export async function openDatabase(config: DatabaseConfig, migrations: Migrations, options: OpenOptions = {}): Promise<SyncDatabase> {
  const busyTimeoutMs = options.busyTimeoutMs ?? defaultBusyTimeoutMs
  const inMemory = config.path === ':memory:'
  const opened: { close(): void }[] = []
  const closeAll = () => {
    for (const one of opened.splice(0).reverse()) one.close()
  }
  try {
    const path = inMemory ? config.path : await resolveFile(config.path)
    if (!inMemory) opened.push(await takeOwnerLock(path, options.ownerTimeoutMs ?? defaultOwnerTimeoutMs))
    const hasLog = !inMemory && config.journalMode === 'WAL'
    const connect = (pragmas: Record<string, Pragma>, waitMs: number) => retryWhileBusy(busyTimeoutMs, async () => {
      const settings = Object.entries(pragmas).map(([name, { set }]) => `PRAGMA ${name} = ${set}`)
      const client = createLocalClient({ path, pragmas: settings, busyTimeoutMs: waitMs, commitsOffLoop: hasLog })
      opened.push(client)
      await assertPragmas(client, pragmas)
      return options.wrapClient?.(client) ?? client
    })
    // The writer waits by itself: each job has its own deadline.
    const writing = await connect({ ...pragmasFor(config), ...pragmasOfWriter, ...hasLog && pragmasOfLogKeeper }, 0)
    await retryWhileBusy(busyTimeoutMs, () => migrate(writing, migrations))
    // Nothing may be written beside the one writer.
    const reading = inMemory ? writing : await connect({ ...pragmasFor(config), query_only: { set: 'ON', is: 1 } }, busyTimeoutMs)
    const afterCommit = hasLog ? createWalCheckpointer(writing, path) : undefined
    const writer = createWriter(writing, { busyTimeoutMs, afterCommit })
    const close = async () => {
      await writer.drain()
      await truncateWal(writing, path)
      closeAll()
    }
    let closing: Promise<void> | undefined
    return {
      activity: writer.activity,
      read: drizzle(reading),
      write: writer.write,
      local: inMemory ? null : { path, truncateWal: () => truncateWal(writing, path) },
      close: () => closing ??= close(),
    }
  }
  catch (error) {
    closeAll()
    if (error instanceof DatabaseInUseError || error instanceof MigrationError) throw error
    throw new Error(`The database ${config.path} cannot be opened: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
}

async function migrate(client: Client, migrations: Migrations) {
  await applyMigrations(client, { owner: 'the layer', ledger: ledgerTable, migrations: migrations.layer, required: requiredTables() })
  if (migrations.app.length > 0) {
    await applyMigrations(client, { owner: 'the app', ledger: appLedgerTable, migrations: migrations.app, required: [] })
  }
}

/** One file has one name here, whatever links lead to it: the lock stands beside it. */
async function resolveFile(path: string): Promise<string> {
  await ensurePrivateFolder(dirname(path))
  const file = await realpath(path).catch(async () => {
    // Made here, so that a link that leads to no file yet has an end too. Only where there is none: closing a file that
    // this process has open as a database would drop the locks on it (POSIX).
    await (await open(path, 'a', 0o600)).close()
    return realpath(path)
  })
  // Else it would serve, and refuse each write.
  await access(file, constants.W_OK).catch((cause: unknown) => {
    throw new Error('it is not writable by this user: give it and its folder to the user that runs the server (chown)', { cause })
  })
  return file
}

/** How a pragma is set, and what it answers then. */
interface Pragma { set: string, is: string | number }

const synchronousLevels = { OFF: 0, NORMAL: 1, FULL: 2, EXTRA: 3 }

function pragmasFor({ path, journalMode, synchronous }: DatabaseConfig): Record<string, Pragma> {
  return {
    ...path !== ':memory:' && { journal_mode: { set: journalMode, is: journalMode.toLowerCase() } },
    synchronous: { set: synchronous, is: synchronousLevels[synchronous] },
    foreign_keys: { set: 'ON', is: 1 },
    // A wait in the driver would stop the event loop.
    busy_timeout: { set: '0', is: 0 },
  }
}

/** Room for the pages that a group of large pushes changes: with SQLite's 2 MB some are written twice, and read again. */
const pragmasOfWriter = { cache_size: { set: '-8000', is: -8_000 } }

/** No checkpoint but its own (log-keeper.ts). */
const pragmasOfLogKeeper = { wal_autocheckpoint: { set: '0', is: 0 } }

async function assertPragmas(client: Client, pragmas: Record<string, Pragma>) {
  for (const [name, { set, is }] of Object.entries(pragmas)) {
    const { rows } = await client.execute(`PRAGMA ${name}`)
    const answer = rows[0]?.[0]
    if (answer !== is) throw new Error(`it did not take PRAGMA ${name} = ${set}, it answers ${answer}`)
  }
}

function requiredTables(): string[] {
  return Object.values(schema).map(entry => is(entry, View) ? getViewName(entry) : is(entry, Table) ? getTableName(entry) : '').filter(name => name !== '')
}
