import process from 'node:process'
import { defineConfig } from 'drizzle-kit'
import { databaseUrl, readDatabaseConfig } from './server/db/config.ts'
import { ledgerTable } from './server/db/migrate.ts'

export default defineConfig({
  dialect: 'turso',
  schema: './server/db/schema/index.ts',
  out: './drizzle',
  dbCredentials: { url: databaseUrl(readDatabaseConfig(process.env)) },
  // The CLI and the start of the server keep one ledger.
  migrations: { table: ledgerTable },
  strict: true,
})
