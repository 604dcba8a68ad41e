/**
 * Compares the open database with the file at its path, by device and inode. A file that was removed or replaced under
 * the running server still takes commits, which nobody can find after a restart. Upholds P14.
 */
import { type BigIntStats, statSync } from 'node:fs'

/** The files of an open database, as they were when it was opened. */
export interface FileIdentity {
  /**
   * One sentence about the first file that is not in its place any more; undefined where all are. Takes microseconds.
   */
  findMoved(): string | undefined
}

/**
 * Remembers which files stand at `paths` now. A path that is a link counts as the file it leads to: it is the file that
 * the next start would open. Throws where a file is missing.
 */
export function createFileIdentity(paths: readonly string[]): FileIdentity {
  const files = paths.map(path => ({ path, opened: statSync(path, { bigint: true }) }))
  return {
    findMoved() {
      for (const { path, opened } of files) {
        const found = findFile(path)
        if (found === undefined) return `${path} was removed or renamed`
        if (found.ino !== opened.ino || found.dev !== opened.dev) return `another file was put in the place of ${path}`
      }
      return undefined
    },
  }
}

/** Any error counts as missing: a folder that may not be read any more hides the file from the next start too. */
function findFile(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false })
  }
  catch {
    return undefined
  }
}
