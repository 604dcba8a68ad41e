import type { Client } from '@libsql/core/api'
import { retryWhileBusy } from '../busy.ts'
import { driverCode } from '../driver-error.ts'
import { assertWritable } from './file-place.ts'

/**
 * Only what an operator must change ends the start. A full or damaged file is served as far as it goes, and health says
 * so.
 */
const endsTheStart = new Set(['SQLITE_READONLY', 'SQLITE_CANTOPEN', 'SQLITE_PERM', 'SQLITE_AUTH'])

async function writeAndUndo(client: Client): Promise<void> {
  const transaction = await client.transaction('write')
  try {
    await transaction.execute(`INSERT INTO layer_state (name, value) VALUES ('start', '') ON CONFLICT DO NOTHING`)
  }
  finally {
    transaction.close()
  }
}

/**
 * Proves that this process can write: takes the write lock, writes a row and undoes it. Throws with the file and its
 * owner where it cannot. SQLite opens a write-ahead log that it may not write to be read only, and says so only then.
 */
export async function proveWritable(client: Client, path: string, busyTimeoutMs: number): Promise<void> {
  try {
    await retryWhileBusy(busyTimeoutMs, () => writeAndUndo(client))
  }
  catch (error) {
    if (!endsTheStart.has(driverCode(error) ?? '')) return
    await assertWritable(path)
    throw new Error(
      'it cannot be written: look at the owner and the rights of the file, of the files beside it and of their folder',
      { cause: error },
    )
  }
}
