/**
 * A database on a libsql-server (sqld, Turso), which several servers of this layer may share. The start proves what the
 * promises rest on: the server is there, takes the token, is the primary, takes writes, flushes each commit, and has
 * the layer's tables.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '@libsql/core/api'
import { drizzle } from 'drizzle-orm/libsql/web'
import { MigrationError } from '../migrate.ts'
import type { RemoteConfig } from '../../config/database.ts'
import { migrate } from '../local/open.ts'
import type { Migrations, ReadDatabase, SyncDatabase } from '../types.ts'
import { openRemoteConnection, type RemoteConnection } from './connection.ts'
import { levels, requireLevel, selectLevel } from './durability.ts'
import type { GroupedWrites } from './grouped-writes.ts'
import { listenForWrites } from './listen-for-writes.ts'
import { createRemoteClient, createSessionClient } from './remote-client.ts'
import { RemoteDatabaseError } from './remote-database-error.ts'
import { codeOf, isPassing, notDurable, unauthorizedCode, unreachableCode } from './remote-error.ts'
import { createRemoteWriter } from './remote-writer.ts'
import { assertPrimary, toHttpUrl } from './server-kind.ts'

export interface RemoteOptions {
  /** How long a write is tried before it is refused, in milliseconds. */
  busyTimeoutMs?: number | undefined
  /** How long the start waits for a server that is not there, in milliseconds. */
  startTimeoutMs?: number | undefined
  /** Takes the place of the database's clock, for tests that turn it; see `SyncDatabase.now`. */
  now?: (() => number | null) | undefined
  /** Stands between the client and all that reads by it. */
  wrapClient?: ((client: Client) => Client) | undefined
}

export interface RemoteDatabase extends SyncDatabase {
  readonly grouped: GroupedWrites
  readonly local: null
  /** What it is called in errors and logs: without a token. */
  readonly name: string
  readonly connection: RemoteConnection
}

/** Shorter than the hosts' 10 s request limits. */
const defaultBusyTimeoutMs = 5_000
/** A database server that is started together with this one takes a moment. */
const defaultStartTimeoutMs = 15_000

/** Throws `RemoteDatabaseError` and `MigrationError`; nothing stays open then. */
export async function openRemoteDatabase(
  config: RemoteConfig, migrations: Migrations, options: RemoteOptions = {},
): Promise<RemoteDatabase> {
  const busyTimeoutMs = options.busyTimeoutMs ?? defaultBusyTimeoutMs
  const url = toHranaUrl(config.url)
  const name = new URL(url).host
  const level = levels.indexOf(config.synchronous)
  const connection = openRemoteConnection({ url, authToken: config.authToken }, requireLevel(level))
  try {
    const deadline = performance.now() + (options.startTimeoutMs ?? defaultStartTimeoutMs)
    await untilReached(deadline, async () => {
      await assertPrimary(toHttpUrl(url), config.authToken)
      await assertWritable(url, config.authToken, name)
      await assertDurable(connection, name, level)
      const session = await connection.openSession()
      try {
        await migrate(createSessionClient(session), migrations)
      }
      finally {
        session.close()
      }
    })
    const client = createRemoteClient(connection, busyTimeoutMs)
    const writer = createRemoteWriter(connection, { busyTimeoutMs })
    const replica = config.replicaUrl === undefined
      ? undefined
      : openRemoteConnection({ url: toHranaUrl(config.replicaUrl), authToken: config.authToken })
    const close = async () => {
      await writer.drain()
      replica?.close()
      connection.close()
    }
    let closing: Promise<void> | undefined
    return {
      name,
      connection,
      activity: writer.activity,
      read: drizzle(options.wrapClient?.(client) ?? client) as ReadDatabase,
      replica: replica && drizzle(createRemoteClient(replica)) as ReadDatabase,
      write: writer.write,
      now: options.now ?? (() => null),
      grouped: { add: writer.add },
      local: null,
      listenForWrites: onWrite => listenForWrites(toHttpUrl(url), config.authToken, 'logs', onWrite),
      close: () => closing ??= close(),
    }
  }
  catch (error) {
    connection.close()
    if (error instanceof RemoteDatabaseError || error instanceof MigrationError) throw error
    throw new RemoteDatabaseError(explain(name, error), { cause: error })
  }
}

/** `libsql:` is a secure socket; `?tls=0` makes it a plain one. */
function toHranaUrl(given: string): string {
  const url = new URL(given)
  if (url.protocol !== 'libsql:') return given
  return `${url.searchParams.get('tls') === '0' ? 'ws' : 'wss'}://${url.host}${url.pathname}`
}

async function untilReached(deadline: number, work: () => Promise<void>) {
  for (;;) {
    try {
      return await work()
    }
    catch (error) {
      if (!isPassing(error) || performance.now() >= deadline) throw error
      await sleep(100)
    }
  }
}

/** A server that has just started may be told of its durability a moment later; a session would not hear of it. */
async function assertDurable(connection: RemoteConnection, name: string, least: number) {
  const session = await connection.openSession()
  const [answer] = await session.send([selectLevel]).finally(() => session.close())
  const level = Number(answer!.rows[0]?.[0])
  if (level >= least) return
  throw new RemoteDatabaseError(`The database server ${name} may lose acknowledged writes at a power cut (PRAGMA `
    + `synchronous is ${levels[level] ?? level}): set its durability_mode to "strong" through its admin API, or `
    + 'OR3_SQLITE_PRAGMA_SYNCHRONOUS=NORMAL to accept that.', { cause: notDurable(undefined) })
}

/**
 * Takes the write lock, changes the database and undoes it: a token may be good for reading alone, a server may refuse
 * writes. By HTTP, since over a socket the server ends the connection instead of saying so.
 */
async function assertWritable(url: string, authToken: string | undefined, name: string) {
  const connection = openRemoteConnection({ url: toHttpUrl(url), authToken })
  try {
    await connection.send(['BEGIN IMMEDIATE', 'CREATE TABLE or3_start (a)', 'ROLLBACK'])
  }
  catch (error) {
    if (isPassing(error) || codeOf(error) === unauthorizedCode) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new RemoteDatabaseError(`The database server ${name} takes no writes: ${reason}.`, { cause: error })
  }
  finally {
    connection.close()
  }
}

function explain(name: string, error: unknown): string {
  switch (codeOf(error)) {
    case unreachableCode: return `The database server ${name} cannot be reached: start it, or correct `
      + 'OR3_SQLITE_DB_PATH.'
    case unauthorizedCode: return `The database server ${name} refuses the token: set OR3_SQLITE_AUTH_TOKEN to one `
      + 'that may read and write.'
    default: return `The database server ${name} cannot be used: `
      + `${error instanceof Error ? error.message : String(error)}.`
  }
}
