import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import process from 'node:process'
import { defineConfig } from 'drizzle-kit'
import { databaseUrl, readDatabaseConfig } from './server/config/database.ts'
import { ledgerTable } from './server/database/migrate.ts'

const database = readDatabaseConfig(process.env)
// drizzle-kit fails without a word where the folder is missing.
mkdirSync(dirname(database.path), { recursive: true })

export default defineConfig({
  dialect: 'turso',
  schema: './server/database/schema/index.ts',
  out: './drizzle',
  dbCredentials: { url: databaseUrl(database) },
  // The CLI and the start of the server keep one ledger.
  migrations: { table: ledgerTable },
  strict: true,
})
