/** What is in `drizzle/` is what drizzle-kit makes of the schema, in an order that every migrator accepts. */
import { execFile } from 'node:child_process'
import { cp, readdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { makeTempFolder } from '../../helpers/database.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

// Seen red with a second entry of the same moment.
it('has a journal whose moments strictly increase, and a file for each entry', async () => {
  const { entries } = JSON.parse(await readFile(join(root, 'drizzle/meta/_journal.json'), 'utf8')) as { entries: { idx: number, when: number, tag: string }[] }
  expect(entries.map(entry => entry.idx)).toEqual(entries.map((_, index) => index))
  for (const [index, entry] of entries.entries()) expect(entry.when).toBeGreaterThan(entries[index - 1]?.when ?? 0)
  const files = (await readdir(join(root, 'drizzle'))).filter(name => name.endsWith('.sql')).toSorted()
  expect(files).toEqual(entries.map(entry => `${entry.tag}.sql`))
  // The hash of a file is in every database: a checkout must not change its line ends.
  for (const file of files) expect(await readFile(join(root, 'drizzle', file), 'utf8')).not.toContain('\r')
})

// Seen red with a column added to the schema.
it('is what drizzle-kit makes of the schema', { timeout: 60_000 }, async () => {
  const copy = await makeTempFolder()
  await Promise.all(['drizzle', 'server', 'drizzle.config.ts', 'package.json', 'tsconfig.json'].map(name => cp(join(root, name), join(copy, name), { recursive: true })))
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  const kit = (command: string) => promisify(execFile)(join(root, 'node_modules/.bin/drizzle-kit'), [command], {
    cwd: copy, env: { ...process.env, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}` },
  })
  expect((await kit('generate')).stdout).toContain('No schema changes')
  expect(await readdir(join(copy, 'drizzle'))).toEqual(await readdir(join(root, 'drizzle')))
  expect((await kit('check')).stdout).toContain('Everything\'s fine')
})
