/**
 * Checks the place of the database file before anything is written: a file of our own, that this process can write, in
 * a folder that is kept with it. What is refused is left as it was. Each message completes "The database … cannot be
 * opened: …". Upholds P14.
 */
import { constants, type Stats } from 'node:fs'
import { access, open, readFile, realpath, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import process from 'node:process'
import { ensurePrivateFolder } from '../../lib/private-file.ts'

/** What stands beside a database file. SQLite deletes none of them while the database is open. */
export const sidecars = ['-wal', '-shm', '-journal', '-owner']

/** Returns the file's real path and how many names it has; makes folder and file where there are none. */
export async function prepareFile(path: string): Promise<{ path: string, names: number }> {
  const found = await stat(path).catch(() => undefined)
  if (found) assertIsFile(found)
  await ensurePrivateFolder(dirname(path)).catch((cause: unknown) => {
    throw new Error(
      `its folder cannot be made (${codeOf(cause)}): make it, and give it to the user that runs the server`, { cause },
    )
  })
  const file = await realpath(path).catch(async () => {
    // Made here, so that a link that leads to no file yet has an end too. Only where there is none: closing a file that
    // this process has open as a database would drop the locks on it (POSIX).
    await (await open(path, 'a', 0o600)).close()
    return realpath(path)
  }).catch((cause: unknown) => {
    throw new Error(
      `the file cannot be made (${codeOf(cause)}): give its folder to the user that runs the server`, { cause },
    )
  })
  await assertNotMountedAlone(file)
  await assertWritable(file)
  return { path: file, names: (await stat(file)).nlink }
}

/** Throws where this user may not write the file, one of those beside it, or the folder, and says whose it is. */
export async function assertWritable(file: string): Promise<void> {
  const folder = dirname(file)
  await access(folder, constants.W_OK | constants.X_OK).catch(async (cause: unknown) => {
    throw new Error(`its folder ${folder} ${await describeOwner(folder, cause)}`, { cause })
  })
  for (const one of [file, ...sidecars.map(suffix => file + suffix)]) {
    await access(one, constants.R_OK | constants.W_OK).catch(async (cause: unknown) => {
      if (codeOf(cause) !== 'ENOENT') throw new Error(`${basename(one)} ${await describeOwner(one, cause)}`, { cause })
    })
  }
}

function assertIsFile(found: Stats) {
  if (found.isDirectory()) throw new Error('it is a folder: set OR3_SQLITE_DB_PATH to the path of a file in it')
  if (!found.isFile()) {
    throw new Error(
      'it is not a regular file but a pipe, a socket or a device: set OR3_SQLITE_DB_PATH to the path of a file',
    )
  }
}

async function describeOwner(path: string, cause: unknown): Promise<string> {
  if (codeOf(cause) === 'EROFS') return 'is on a file system that is mounted to be read only: mount it to be written'
  const owner = await stat(path).then(({ uid }) => `user ${uid}`, () => 'another user')
  const self = process.getuid?.() ?? 'this'
  return `belongs to ${owner} and is not writable by this user (${self}): give it to the user that runs the server `
    + '(chown)'
}

/**
 * A container may have the `.db` file alone as a volume. Its write-ahead log then stands in the container's own layer,
 * and every commit since the last checkpoint goes with the container.
 */
async function assertNotMountedAlone(file: string) {
  // Linux only: containers run on it.
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '')
  const points = mounts.split('\n').map(line => unescapeMount(line.split(' ')[4] ?? ''))
  if (!points.includes(file)) return
  throw new Error('the file is mounted by itself, and its write-ahead log beside it would be lost with the container: '
    + 'mount the folder that holds the file (docs/operations.md)')
}

/** The kernel writes a space, tab, newline or backslash in a path as its octal code. */
function unescapeMount(path: string): string {
  return path.replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
