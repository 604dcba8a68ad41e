/**
 * Writes `error-codes.md` from the table in `shared/error-codes.ts`; `--check` says by its exit code whether it is
 * current. `node docs/make-error-codes.ts [--check]`
 */
import { readFileSync, writeFileSync } from 'node:fs'
import process from 'node:process'
import { errorKinds, opRefusals } from '../shared/error-codes.ts'

const file = new URL('error-codes.md', import.meta.url)

/** The page as text. */
export function makeErrorCodes(): string {
  const yesNo = (retryable: boolean) => retryable ? 'yes' : 'no'
  const rows = Object.entries(errorKinds).map(([code, { status, wire, retryable, meaning, client, operator }]) =>
    `| \`${code}\` | ${status} | \`${wire}\` | ${yesNo(retryable)} | ${meaning} | ${client} | ${operator} |`)
  const ops = Object.entries(opRefusals).map(([code, { retryable, meaning, client }]) =>
    `| \`${code}\` | ${yesNo(retryable)} | ${meaning} | ${client} |`)
  return `# Error codes

Made from \`shared/error-codes.ts\` by \`npm run docs\`; do not edit.

## Refused requests

A refused request answers with its HTTP status and \`data: { code, retryable }\`. Every code that a server sends is here.
\`retryable\` says whether the same request can succeed later. An error nobody foresaw is logged whole, then once more with
the request's id, and answered with nothing of it but that: the header \`X-Request-Id\`.

| code | status | wire \`errorCode\` | a retry helps | meaning | what a client does | what an operator does |
|---|---|---|---|---|---|---|
${rows.join('\n')}

## Refused ops

A refused *op* never fails its batch: its receipt has \`success: false\`, \`errorCode\`, \`error\` (a text) and \`retryable\`.

| \`errorCode\` | \`retryable\` | meaning | what a client does with the op |
|---|---|---|---|
${ops.join('\n')}
`
}

if (import.meta.main) {
  if (!process.argv.includes('--check')) writeFileSync(file, makeErrorCodes())
  else if (readFileSync(file, 'utf8') !== makeErrorCodes()) {
    console.error('docs/error-codes.md is not what shared/error-codes.ts says: run `npm run docs`.')
    process.exit(1)
  }
}
