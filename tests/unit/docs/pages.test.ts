/** What is written about the project is what the project is. Seen red: a meaning changed, a test's path misspelt. */
import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { makeErrorCodes } from '../../../docs/make-error-codes.ts'

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')

it('documents every error code as it is', () => {
  expect(read('docs/error-codes.md')).toBe(makeErrorCodes())
})

it('names only files that exist', () => {
  // What stands in a code block is an app's.
  const proseOf = (page: string) => read(page).replaceAll(/```[\s\S]*?```/g, '')
  const missing = ['README.md', 'SPEC.md', 'docs/operations.md', 'docs/or3-chat.md', 'docs/protocol.md', 'docs/server-code.md'].flatMap(page =>
    [...proseOf(page).matchAll(/(?<![\w/.-])(?:tests|server|docs|modules|drizzle)\/[\w./-]*\w/g)]
      .map(match => match[0])
      .filter(path => !existsSync(new URL(`../../../${path}`, import.meta.url)))
      .map(path => `${page}: ${path}`))
  expect(missing).toEqual([])
})
