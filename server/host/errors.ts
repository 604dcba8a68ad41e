/**
 * Makes every error that leaves for a host an h3 error. A host shows any other error's text, and a query's text holds
 * values.
 */
import { isError } from 'h3'
import { isSyncError } from '../errors.ts'
import { toHttpError } from '../http/errors.ts'
import { maskError } from '../lib/mask-errors.ts'

/** Runs `work` for a host. Throws h3 errors only. */
export async function answerHost<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  }
  catch (error) {
    throw toHostError(what, error)
  }
}

/**
 * The same object, whose methods throw h3 errors only. `isRefusal` names further errors, of the host's contract, that
 * pass as they are.
 */
export function answerHostMethods<T extends object>(
  what: string,
  target: T,
  isRefusal: (error: unknown) => boolean = () => false,
): T {
  const guard = (method: (...args: unknown[]) => unknown) => (...args: unknown[]) => {
    const answer = method(...args)
    if (!(answer instanceof Promise)) return answer
    return answer.catch((error: unknown) => {
      throw isRefusal(error) ? error : toHostError(what, error)
    })
  }
  return Object.fromEntries(Object.entries(target).map(([name, value]) =>
    [name, typeof value === 'function' ? guard(value) : value])) as T
}

function toHostError(what: string, error: unknown): Error {
  if (isError(error)) return error
  const masked = maskError(what, error)
  return isSyncError(masked) ? toHttpError(masked) : masked
}
