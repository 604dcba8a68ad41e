/**
 * Whether the database server flushes a commit before it answers. A session keeps the level it was opened with, and a
 * sqld without namespaces forgets its `durability_mode` when it restarts: so each session proves its level before it
 * writes. Upholds P1.
 */

/** As `PRAGMA synchronous` numbers them. */
export const levels = ['OFF', 'NORMAL', 'FULL', 'EXTRA']

/** Answers with the number of the session's level. */
export const selectLevel = 'select synchronous from pragma_synchronous'

const mark = 'or3 durability'

/** A statement that fails where the level is less, so that its transaction is undone. */
export function requireLevel(least: number): string {
  return `select iif((${selectLevel}) >= ${least}, 1, json_extract('{}', '${mark}'))`
}

/** True for the error of `requireLevel`: `json_extract` fails on a path without `$`, and its error quotes the path. */
export function isLevelRefusal(error: Error): boolean {
  return error.message.includes(`'${mark}'`)
}
