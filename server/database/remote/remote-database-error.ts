/** A database server that cannot be used; its message is the one sentence the operator reads. */
export class RemoteDatabaseError extends Error {
  override name = 'RemoteDatabaseError'
}
