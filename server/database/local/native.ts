/**
 * Loads the native driver. Its binding belongs to one platform, and an `.output` folder carries the one of the machine
 * that built it. A missing binding must not end the process at the import, where nothing can explain it.
 */
import process from 'node:process'
import type Database from 'libsql'
import type AsyncDatabase from 'libsql/promise'

interface Native {
  Database: typeof Database
  AsyncDatabase: typeof AsyncDatabase
}

const loaded: Native | { cause: unknown } = await load()

/** The driver. Throws an error that says what to do where it has no binding for this platform. */
export function nativeDriver(): Native {
  if ('Database' in loaded) return loaded
  throw new Error(
    `the native driver (libsql) does not run on ${process.platform} ${process.arch}${libcOf()}: build the app on the `
    + 'platform that runs it, since .output belongs to its platform (docs/operations.md)', { cause: loaded.cause })
}

/** True for an error that the driver itself threw. */
export function isDriverError(error: unknown): error is InstanceType<typeof Database.SqliteError> {
  return 'Database' in loaded && error instanceof loaded.Database.SqliteError
}

async function load(): Promise<Native | { cause: unknown }> {
  try {
    const [sync, async] = await Promise.all([import('libsql'), import('libsql/promise')])
    return { Database: sync.default, AsyncDatabase: async.default }
  }
  catch (cause) {
    return { cause }
  }
}

function libcOf(): string {
  if (process.platform !== 'linux') return ''
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } }
  return header.glibcVersionRuntime === undefined ? ' with musl' : ' with glibc'
}
