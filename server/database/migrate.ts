/**
 * Migrations, applied at start and verified: drizzle's own migrator skips one that is older than the last applied and
 * ignores an edited one (drizzle-team/drizzle-orm#5769, #5316), so ledger and history are compared row by row.
 * A history is applied in one transaction: nothing is half-made.
 */
import type { Client, Transaction } from '@libsql/core/api'

/** The layer's ledger; an app's own history keeps drizzle's default name. */
export const ledgerTable = '__or3_layer_migrations'
export const appLedgerTable = '__drizzle_migrations'

/** As drizzle's `readMigrationFiles` gives it: `folderMillis` is the journal's `when`, `hash` the file's SHA-256. */
export interface Migration { sql: string[], folderMillis: number, hash: string }

export interface MigrationHistory {
  /** For the error's text: `the layer` or `the app`. */
  owner: string
  ledger: string
  migrations: readonly Migration[]
  /** Tables and views that must be there afterwards. */
  required: readonly string[]
}

/** A history that does not fit the database; its message is the one sentence the operator reads. */
export class MigrationError extends Error {
  override name = 'MigrationError'
}

/** Brings the database to the end of `history`, or throws `MigrationError` and changes nothing. */
export async function applyMigrations(client: Client, history: MigrationHistory): Promise<void> {
  assertInOrder(history)
  await assertNotOldTables(client)
  const applied = await readLedger(client, history.ledger)
  assertLedgerFits(history, applied)
  if (applied.length === 0) await assertNoTables(client, history)
  if (applied.length < history.migrations.length) await applyPending(client, history)
  await assertTables(client, history)
}

/**
 * One transaction, in which the ledger is read again: the command line may have come first. Foreign keys are off around
 * it, or rebuilding a table would delete its children (#4938). Each statement is run as a script: a file without
 * breakpoints is one statement to drizzle, of which the driver would run the first part and drop the rest.
 */
async function applyPending(client: Client, history: MigrationHistory) {
  await client.execute('PRAGMA foreign_keys = OFF')
  let transaction: Transaction | undefined
  try {
    transaction = await client.transaction('write')
    // As drizzle-kit makes it, so that either may come first.
    const columns = 'id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric'
    await transaction.execute(`CREATE TABLE IF NOT EXISTS ${quote(history.ledger)} (${columns})`)
    const applied = await readLedger(transaction, history.ledger)
    assertLedgerFits(history, applied)
    for (const { sql, hash, folderMillis } of history.migrations.slice(applied.length)) {
      for (const script of sql) await transaction.executeMultiple(script)
      await transaction.execute({
        sql: `INSERT INTO ${quote(history.ledger)} (hash, created_at) VALUES (?, ?)`, args: [hash, folderMillis],
      })
    }
    await assertReferences(transaction, history)
    await transaction.commit()
  }
  finally {
    transaction?.close()
    await client.execute('PRAGMA foreign_keys = ON')
  }
}

async function assertReferences(transaction: Transaction, { owner }: MigrationHistory) {
  const { rows } = await transaction.execute('PRAGMA foreign_key_check')
  if (rows.length === 0) return
  const tables = [...new Set(rows.map(row => row['table']))].join(', ')
  throw new MigrationError(
    `The migrations of ${owner} would leave rows that refer to nothing, in ${tables}: nothing was changed.`,
  )
}

async function assertNotOldTables(client: Client) {
  const { rows } = await client.execute(`SELECT name FROM sqlite_master
    WHERE type = 'table' AND name IN ('${ledgerTable}', 'kysely_migration', 'change_log')`)
  assertNotOld(rows.map(row => String(row['name'])))
}

/**
 * The likeliest wrong file is the one that or3-provider-sqlite wrote: it has that package's ledger and not the layer's.
 * Takes the names of the tables that are there. Throws `MigrationError`.
 */
export function assertNotOld(names: readonly string[]): void {
  if (names.includes(ledgerTable) || !names.includes('kysely_migration') || !names.includes('change_log')) return
  throw new MigrationError(
    'The file is a database of or3-provider-sqlite, which this server cannot use as it is: copy it into a new file '
    + 'with `npx or3-layer-sqlite import <this file> --to <new file>`, and set OR3_SQLITE_DB_PATH to the new one.',
  )
}

interface LedgerRow { hash: string, when: number }

async function readLedger(client: Pick<Client, 'execute'>, ledger: string): Promise<LedgerRow[]> {
  const exists = await client.execute({ sql: 'SELECT 1 FROM sqlite_master WHERE name = ?', args: [ledger] })
  if (exists.rows.length === 0) return []
  const { rows } = await client.execute(`SELECT hash, created_at FROM ${quote(ledger)} ORDER BY rowid`)
  return rows.map(row => ({ hash: String(row['hash']), when: Number(row['created_at']) }))
}

function assertInOrder({ owner, migrations }: MigrationHistory) {
  migrations.forEach((migration, index) => {
    const before = migrations[index - 1]
    if (before && before.folderMillis >= migration.folderMillis) {
      throw new MigrationError(`The migrations of ${owner} are out of order: entry ${index} of the journal is not `
        + 'newer than the one before it.')
    }
  })
}

function assertLedgerFits({ owner, migrations }: MigrationHistory, applied: readonly LedgerRow[]) {
  if (applied.length > migrations.length) {
    throw new MigrationError(`The database was made by a newer release of ${owner} (${applied.length} migrations, this `
      + `one knows ${migrations.length}): install that release, or restore a backup of this one.`)
  }
  applied.forEach((row, index) => {
    const migration = migrations[index]!
    if (row.hash === migration.hash && row.when === migration.folderMillis) return
    const moved = migrations.some(other => other.hash === row.hash)
    throw new MigrationError(moved
      ? `The migrations of ${owner} are in another order than the database applied them (from number ${index}): `
      + 'restore the released journal.'
      : `Migration number ${index} of ${owner} is not the one the database applied: an applied migration is never `
        + 'edited; restore the released file.')
  })
}

/** Tables without a ledger: it was emptied, or the tables are another application's. */
async function assertNoTables(client: Client, { owner, ledger, required }: MigrationHistory) {
  const { rows } = await client.execute(`SELECT name FROM sqlite_master WHERE type IN ('table', 'view')`)
  const there = rows.map(row => String(row['name'])).filter(name => required.includes(name))
  // Another process may have migrated since the ledger was read.
  if (there.length === 0 || (await readLedger(client, ledger)).length > 0) return
  throw new MigrationError(
    `The list of applied migrations of ${owner} (${ledger}) is empty, and tables are there: `
    + `${there.slice(0, 3).join(', ')}. Restore a backup; or, where they are another application's, set `
    + 'OR3_SQLITE_DB_PATH to a file of its own.',
  )
}

async function assertTables(client: Client, { owner, required }: MigrationHistory) {
  const { rows } = await client.execute(`SELECT name FROM sqlite_master WHERE type IN ('table', 'view')`)
  const present = new Set(rows.map(row => row['name']))
  const missing = required.filter(name => !present.has(name))
  if (missing.length > 0) {
    throw new MigrationError(`Tables of ${owner} are missing from the database though its migrations ran: `
      + `${missing.join(', ')}. Restore a backup.`)
  }
}

function quote(identifier: string): string {
  return `"${identifier.replaceAll('"', '""')}"`
}
