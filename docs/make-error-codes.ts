/**
 * Writes `error-codes.md` from the table in `shared/error-codes.ts`; `--check` says by its exit code whether it is current.
 * `node docs/make-error-codes.ts [--check]`
 */
import { readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { errorKinds } from '../shared/error-codes.ts'

const file = new URL('error-codes.md', import.meta.url)

export function makeErrorCodes(): string {
  const rows = Object.entries(errorKinds).map(([code, { status, wire, retryable, meaning, operator }]) =>
    `| \`${code}\` | ${status} | \`${wire}\` | ${retryable ? 'yes' : 'no'} | ${meaning} | ${operator} |`)
  return `# Error codes

Made from \`shared/error-codes.ts\` by \`npm run docs\`; do not edit.

A refused request answers with its HTTP status and \`data: { code, retryable }\`. A refused *op* never fails its batch: its
receipt has \`success: false\`, an \`errorCode\` of the wire (third column) and a text. An error nobody foresaw is logged
whole, then once more with the request's id, and answered with nothing of it but that: the header \`X-Request-Id\`.

| code | status | wire \`errorCode\` | a retry helps | meaning | what an operator does |
|---|---|---|---|---|---|
${rows.join('\n')}
`
}

if (import.meta.main) {
  if (!process.argv.includes('--check')) writeFileSync(file, makeErrorCodes())
  else if (readFileSync(file, 'utf8') !== makeErrorCodes()) {
    console.error('docs/error-codes.md is not what shared/error-codes.ts says: run `npm run docs`.')
    process.exit(1)
  }
}
