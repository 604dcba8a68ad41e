/** What leaves a room for a client or a host is an answer or a refusal: any other error is logged whole and answered without its text. */
import { consola } from 'consola'
import { isError } from 'h3'
import { toPublicError } from './db/driver-error.ts'
import { fail } from './errors.ts'

const log = consola.withTag('or3-sync')

/** Refusals pass. A host answers any other error's text, and a query's error is its SQL and its values. */
export async function withoutDriverText<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  }
  catch (error) {
    throw hideDriverText(what, error)
  }
}

/** `room` with the same methods, from which no other error leaves; `isRefusal` knows refusals that are no h3 errors. */
export function guardRoom<T extends object>(what: string, room: T, isRefusal: (error: unknown) => boolean = isError): T {
  const guard = (method: (...args: unknown[]) => unknown) => (...args: unknown[]) => {
    const answer = method(...args)
    if (!(answer instanceof Promise)) return answer
    return answer.catch((error: unknown) => {
      throw isRefusal(error) ? error : hideDriverText(what, error)
    })
  }
  return Object.fromEntries(Object.entries(room).map(([name, value]) => [name, typeof value === 'function' ? guard(value) : value])) as T
}

/** The error that may leave. */
function hideDriverText(what: string, error: unknown): Error {
  const known = toPublicError(error)
  if (isError(known)) return known
  log.error(`${what} failed:`, error)
  return fail('DATABASE_UNAVAILABLE', 'The database could not serve this: see the server log.', { cause: error })
}
