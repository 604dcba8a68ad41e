/** A file's hash without its algorithm's prefix, in lower case: hosts name one file with and without it. Pure. */
export function digestOf(hash: string): string {
  // ASCII only, as SQLite's lower().
  return hash.slice(hash.indexOf(':') + 1).replaceAll(/[A-Z]+/g, letters => letters.toLowerCase())
}

/** The hashes a row's `file_hashes` names: JSON text of an array, an array, or one hash. */
export function readFileHashes(value: unknown): string[] {
  const hashes: string[] = []
  collectHashes(value, hashes)
  return hashes
}

/** Into one list: handed up level by level, what lies deep would be copied at each. */
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
    // Not ours to mend: as one hash it matches no file, and is still seen by whoever lists the references.
    hashes.push(value)
  }
}
