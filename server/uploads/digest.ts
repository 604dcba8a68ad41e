/** A file's hash without its algorithm's prefix, in lower case: hosts name one file with and without it. Pure. */
export function digestOf(hash: string): string {
  // ASCII only, as SQLite's lower().
  return hash.slice(hash.indexOf(':') + 1).replaceAll(/[A-Z]+/g, letters => letters.toLowerCase())
}

/** The hashes a row's `file_hashes` names: JSON text of an array, an array, or one hash. */
export function readFileHashes(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(readFileHashes)
  if (typeof value !== 'string' || value === '') return []
  if (!value.startsWith('[')) return [value]
  try {
    return readFileHashes(JSON.parse(value))
  }
  catch {
    // Not ours to mend: as one hash it matches no file, and is still seen by whoever lists the references.
    return [value]
  }
}
