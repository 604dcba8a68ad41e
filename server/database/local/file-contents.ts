/**
 * Reads what the file holds before anything is written to it: another application's database is refused and left as it
 * was. Upholds P14.
 */
import { existsSync, rmSync } from 'node:fs'
import { appLedgerTable, assertNotOld, ledgerTable } from '../migrate.ts'
import { driverCode } from '../driver-error.ts'
import { openConnection } from './connection.ts'
import { sidecars } from './file-place.ts'

/**
 * Throws where the file is no SQLite database, or holds tables and was made by neither the layer nor the app.
 * `hasAppHistory`: the app applies migrations of its own, so its ledger makes the file its own too.
 */
export function assertOwnContents(path: string, hasAppHistory: boolean): void {
  const strays = sidecars.slice(0, 3).map(suffix => path + suffix).filter(file => !existsSync(file))
  try {
    const names = readTableNames(path)
    if (names.length === 0 || names.includes(ledgerTable) || (hasAppHistory && names.includes(appLedgerTable))) return
    assertNotOld(names)
    // A leading underscore is how tools name what they keep in somebody else's database.
    const tables = names.filter(name => !/^(?:_|sqlite_|libsql_)/.test(name))
    if (tables.length === 0) return
    const shown = tables.slice(0, 3).join(', ')
    throw new Error('it is another application\'s database (it has the tables '
      + `${shown}${tables.length > 3 ? ' and more' : ''}): set OR3_SQLITE_DB_PATH to a file of its own`)
  }
  catch (error) {
    for (const file of strays) rmSync(file, { force: true })
    if (driverCode(error) !== 'SQLITE_NOTADB') throw error
    throw new Error(
      'it is not an SQLite database: set OR3_SQLITE_DB_PATH to the path of one, or of a file that is not there yet',
      { cause: error },
    )
  }
}

function readTableNames(path: string): string[] {
  const connection = openConnection({ path, pragmas: ['PRAGMA query_only = ON'] })
  try {
    return connection.run(`SELECT name FROM sqlite_master WHERE type = 'table'`).rows.map(row => String(row[0]))
  }
  finally {
    connection.close()
  }
}
