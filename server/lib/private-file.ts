/** Files and folders that only the server's own user may read, from the first byte on, whatever the umask. */
import { mkdir, open } from 'node:fs/promises'

/** Makes the file where there is none; SQLite gives the files beside a database the same mode. */
export async function ensurePrivateFile(path: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600).catch((error: NodeJS.ErrnoException) => {
    // A file that is there keeps its mode, which may be an operator's choice; opening it could drop its locks.
    if (error.code !== 'EEXIST') throw error
    return undefined
  })
  await handle?.close()
}

/** Makes the folder, and those above it, where there are none. */
export async function ensurePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
}
