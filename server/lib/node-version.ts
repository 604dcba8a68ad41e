/** Refuses a Node that is too old with one sentence, as the command line does (bin/or3-layer-sqlite.js). Pure. */

/** The first release whose SQLite, JSON and Promise functions the server uses; the same as in package.json. */
const oldest = { major: 22, minor: 19 }

/** Throws for a Node older than 22.19; `version` is that of `process.version`. */
export function assertNodeVersion(version: string): void {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  if (major > oldest.major || (major === oldest.major && minor >= oldest.minor)) return
  throw new Error(`or3-layer-sqlite needs Node 22.19 or 24.11, or a later one; this is ${version}.`)
}
