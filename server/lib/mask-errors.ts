/** No driver text leaves the layer: an error that is no refusal is logged whole and replaced by one. */
import { consola } from 'consola'
import { toPublicError } from '../database/driver-error.ts'
import { createSyncError, isSyncError } from '../errors.ts'
import { mayLog } from './log-budget.ts'

const log = consola.withTag('or3-sync')

/** Runs `work`; refusals pass, any other error is logged and becomes DATABASE_UNAVAILABLE. */
export async function maskErrors<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  }
  catch (error) {
    throw maskError(what, error)
  }
}

/** The error that may leave: a refusal as it is, anything else logged and masked. */
export function maskError(what: string, error: unknown): Error {
  const known = toPublicError(error)
  if (isSyncError(known)) return known
  if (mayLog()) log.error(`${what} failed:`, error)
  return createSyncError(
    'DATABASE_UNAVAILABLE', 'The database could not serve this: see the server log.', { cause: error },
  )
}
