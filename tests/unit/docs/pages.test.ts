/** What is written about the project is what the project is. Seen red: a meaning changed, a test's path misspelt. */
import { existsSync, globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { makeErrorCodes } from '../../../docs/make-error-codes.ts'
import { readSyncSettings } from '../../../server/config/sync.ts'
import { limitNames } from '../../../server/lib/limit-counts.ts'

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')

it('documents every error code as it is', () => {
  expect(read('docs/error-codes.md')).toBe(makeErrorCodes())
})

it('explains only messages that the code has, word by word', () => {
  const root = new URL('../../..', import.meta.url)
  const sources = globSync('{server,modules,shared}/**/*.ts', { cwd: root }).map(read).join('\n')
  // What a template fills in differs, and so may what is escaped in its source. A message may go on in the next line.
  const code = sources.replaceAll(/\$\{[^}]*\}/g, '…').replaceAll('\\\'', '\'').replaceAll(/['`]\s*\+\s*['`]/g, '')
  const rows = [...read('docs/troubleshooting.md').matchAll(/^\| `([^`]+)` \|/gm)].map(([, text]) => text!)
  expect(rows.length).toBeGreaterThan(25)
  const missing = rows.filter(text => !text.split('…').every(part => code.includes(part.trim())))
  expect(missing).toEqual([])
})

// Seen red: the limit of live streams was counted, and named nowhere.
it('names every setting of a limit in the table of limits, and every limit that is counted among the metrics', () => {
  const limits = read('SPEC.md').split('## Limits')[1]!.split('\n## ')[0]!
  expect(Object.keys(readSyncSettings()).filter(name => !limits.includes(`\`${name}\``))).toEqual([])
  const [row] = /^.*or3_sync_limited_total.*$/m.exec(read('docs/operations.md'))!
  expect(limitNames.filter(name => !row.includes(`\`${name}\``))).toEqual([])
})

it('names only files that exist', () => {
  // What stands in a code block is an app's.
  const proseOf = (page: string) => read(page).replaceAll(/```[\s\S]*?```/g, '')
  const missing = ['README.md', 'SPEC.md', 'docs/operations.md', 'docs/or3-chat.md', 'docs/protocol.md', 'docs/server-code.md', 'docs/troubleshooting.md'].flatMap(page =>
    [...proseOf(page).matchAll(/(?<![\w/.-])(?:tests|server|docs|modules|drizzle)\/[\w./-]*\w/g)]
      .map(match => match[0])
      .filter(path => !existsSync(new URL(`../../../${path}`, import.meta.url)))
      .map(path => `${page}: ${path}`))
  expect(missing).toEqual([])
})
