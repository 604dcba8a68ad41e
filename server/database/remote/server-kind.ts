/** What kind of libsql-server answers, told by its HTTP interface. */
import { RemoteDatabaseError } from './remote-database-error.ts'

/** The HTTP address of the server at a `ws:` or `http:` address: both are served on one port. */
export function toHttpUrl(url: string): string {
  return url.replace(/^ws/, 'http')
}

/** The header that carries the token; none without a token. */
export function bearer(authToken: string | undefined): Record<string, string> {
  return authToken === undefined ? {} : { authorization: `Bearer ${authToken}` }
}

/**
 * A replica hands writes on and reads its own copy, which lags. It alone says of a dump that it is not a primary; where
 * dumps are not offered, nothing is known. Throws `RemoteDatabaseError` for a replica.
 */
export async function assertPrimary(httpUrl: string, authToken: string | undefined): Promise<void> {
  // HEAD makes no dump.
  const answer = await fetch(
    new URL('/dump', httpUrl), { method: 'HEAD', headers: bearer(authToken), signal: AbortSignal.timeout(5_000) },
  ).catch(() => undefined)
  if (answer?.status !== 400) return
  throw new RemoteDatabaseError(`The database server ${new URL(httpUrl).host} is a read replica: set `
    + 'OR3_SQLITE_DB_PATH to the primary, and OR3_SQLITE_REPLICA_URL to this one.')
}
