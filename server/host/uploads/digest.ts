/** A file's hash in lower case without its algorithm's prefix: hosts write one hash with and without it. Pure. */
export function digestOf(hash: string): string {
  // ASCII only, as SQLite's lower().
  return hash.slice(hash.indexOf(':') + 1).replaceAll(/[A-Z]+/g, letters => letters.toLowerCase())
}

/** The hashes in a row's `file_hashes`, which is JSON text of an array, an array, or one hash. */
export function readFileHashes(value: unknown): string[] {
  const hashes: string[] = []
  collectHashes(value, hashes)
  return hashes
}

/** Collects into one list; returned level by level, the deepest hashes would be copied at each. */
function collectHashes(value: unknown, hashes: string[]) {
  if (Array.isArray(value)) {
    for (const item of value) collectHashes(item, hashes)
    return
  }
  if (typeof value !== 'string' || value === '') return
  if (!value.startsWith('[')) {
    hashes.push(value)
    return
  }
  try {
    collectHashes(JSON.parse(value), hashes)
  }
  catch {
    // The text is kept as one hash. It matches no file, and is still listed as a reference.
    hashes.push(value)
  }
}
