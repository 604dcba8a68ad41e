/**
 * Opens the database: takes the owner lock, opens one connection that writes and one that reads, sets and asserts their
 * pragmas, applies the migrations. What it returns is all that other rooms see of it. A remote client would take the
 * place of the two local ones here.
 */
import { mkdir, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Client } from '@libsql/core/api'
import { getTableName, getViewName, is, Table, View } from 'drizzle-orm'
import { drizzle, type LibSQLDatabase } from 'drizzle-orm/libsql'
import type { DatabaseConfig } from './config.ts'
import { createLocalClient } from './local-client.ts'
import { appLedgerTable, applyMigrations, ledgerTable, type Migration } from './migrate.ts'
import { takeOwnerLock } from './owner-lock.ts'
import * as schema from './schema/index.ts'
import { createWriter, type WriteJob } from './writer.ts'

export type ReadDatabase = LibSQLDatabase<typeof schema>
export type WriteTransaction = Parameters<Parameters<ReadDatabase['transaction']>[0]>[0]

/** The open database, as every room sees it. */
export interface SyncDatabase {
  /** Committed data; a read never waits for the writer (in memory, where there is one connection, it does). */
  readonly read: ReadDatabase
  /** Runs `job` in the one writer's transaction; resolves after the commit, so what it returns may be acknowledged. */
  write<T>(job: WriteJob<T>): Promise<T>
  /** Finishes the waiting writes, moves the write-ahead log into the file, closes it. */
  close(): Promise<void>
}

export interface Migrations {
  layer: readonly Migration[]
  /** An app's own history in its own ledger; empty where it has none. */
  app: readonly Migration[]
}

export interface OpenOptions {
  /** How long a write waits for another process's lock before it is refused, in milliseconds. */
  busyTimeoutMs?: number
}

/** Shorter than the hosts' 10 s request limits, longer than a backup's or a studio's lock. */
const defaultBusyTimeoutMs = 5_000

/** Throws `DatabaseInUseError`, `MigrationError` or the driver's error; nothing stays open then. */
export async function openDatabase(config: DatabaseConfig, migrations: Migrations, options: OpenOptions = {}): Promise<SyncDatabase> {
  const inMemory = config.path === ':memory:'
  const path = inMemory ? config.path : await resolveFile(config.path)
  const lock = inMemory ? undefined : await takeOwnerLock(path)
  const clients: Client[] = []
  try {
    const open = async () => {
      const client = createLocalClient({ path, pragmas: pragmasFor(config, inMemory) })
      clients.push(client)
      await assertPragmas(client, config, inMemory)
      return client
    }
    const writing = await open()
    await applyMigrations(writing, { owner: 'the layer', ledger: ledgerTable, migrations: migrations.layer, required: requiredTables() })
    if (migrations.app.length > 0) {
      await applyMigrations(writing, { owner: 'the app', ledger: appLedgerTable, migrations: migrations.app, required: [] })
    }
    const reading = inMemory ? writing : await open()
    const writer = createWriter(drizzle(writing, { schema }), { busyTimeoutMs: options.busyTimeoutMs ?? defaultBusyTimeoutMs })
    return {
      read: drizzle(reading, { schema }),
      write: writer.write,
      async close() {
        await writer.drain()
        if (!inMemory) await writing.execute('PRAGMA wal_checkpoint(TRUNCATE)').catch(() => {})
        for (const client of clients) client.close()
        lock?.release()
      },
    }
  }
  catch (error) {
    for (const client of clients) client.close()
    lock?.release()
    throw error
  }
}

/** One file has one name here, whatever links lead to it: the lock stands beside it. */
async function resolveFile(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  return realpath(path).catch(async () => join(await realpath(dirname(path)), basename(path)))
}

function pragmasFor({ journalMode, synchronous }: DatabaseConfig, inMemory: boolean): string[] {
  return [
    ...(inMemory ? [] : [`PRAGMA journal_mode = ${journalMode}`]),
    `PRAGMA synchronous = ${synchronous}`,
    'PRAGMA foreign_keys = ON',
    'PRAGMA busy_timeout = 0',
  ]
}

const synchronousLevels = { OFF: 0, NORMAL: 1, FULL: 2, EXTRA: 3 }

async function assertPragmas(client: Client, { journalMode, synchronous }: DatabaseConfig, inMemory: boolean) {
  const expected: Record<string, string | number> = {
    journal_mode: inMemory ? 'memory' : journalMode.toLowerCase(),
    synchronous: synchronousLevels[synchronous],
    foreign_keys: 1,
    busy_timeout: 0,
  }
  for (const [name, value] of Object.entries(expected)) {
    const { rows } = await client.execute(`PRAGMA ${name}`)
    if (rows[0]?.[0] !== value) {
      throw new Error(`The database did not take PRAGMA ${name} = ${value}: it answers ${rows[0]?.[0]}.`)
    }
  }
}

function requiredTables(): string[] {
  return Object.values(schema).map(entry => is(entry, View) ? getViewName(entry) : is(entry, Table) ? getTableName(entry) : '').filter(name => name !== '')
}
