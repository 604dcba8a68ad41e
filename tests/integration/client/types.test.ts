/** What must not compile does not: the compiler checks this file with every strict flag an app may set. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../..', import.meta.url))

/** Each line is compiled; those that end with a comment must be refused by the compiler for that reason. */
const source = `
import { z } from 'zod'
import { createSyncClient, defineSyncedTable, type RowOf } from '${root}client/index.ts'
const notes = defineSyncedTable('notes', {
  primaryKey: 'id', indexes: ['list'],
  schema: z.looseObject({ id: z.string(), text: z.string(), list: z.string().optional(), done: z.boolean() }),
})
interface Task { id: string, rank: number }
const tasks = defineSyncedTable<Task>('tasks', {
  primaryKey: 'id', version: 2, migrate: row => ({ id: String(row['id']), rank: 0 }),
})
const store = await createSyncClient({ tables: [notes, tasks] }).open({ userId: 'u', workspaceId: 'w' })
const table = store.table(notes)
const row: RowOf<typeof notes> | undefined = table.get('1')
const text: string | undefined = row?.text
table.put({ id: '1', text: 'x', done: false })
table.put({ id: '1', text: 'x', done: false, list: 'a' })
store.table(tasks).put({ id: '1', rank: 1 })
table.list({ where: note => !note.done, sort: (a, b) => a.text.localeCompare(b.text) })
const saved: Promise<boolean> = table.patch('1', { done: true }).saved
table.put({ id: '1', text: 'x', done: false, tekst: 'x' }) // tekst
table.put({ id: '1', text: 1, done: false }) // number
table.put({ id: '1', done: false }) // text
table.patch('1', { don: true }) // don
table.list({ where: note => note.dune }) // dune
table.lookup('lists', 'a') // lists
table.lookup('list', 1) // number
table.get('1')!.text = 'changed' // read-only
store.table(tasks).put({ id: 1, rank: 1 }) // number
defineSyncedTable('x', { primaryKey: 'key', schema: z.object({ id: z.string() }) }) // key
defineSyncedTable<Task>('x', { primaryKey: 'rank' }) // rank
defineSyncedTable('x', { primaryKey: 'id', indexes: ['other'], schema: z.object({ id: z.string() }) }) // other
export { saved, text }
`

it('wrong fields, keys and types do not compile; right ones do', async () => {
  const folder = await mkdtemp(`${root}node_modules/.or3-types-`)
  try {
    await writeFile(`${folder}/app.ts`, source)
    const options = {
      extends: `${root}tsconfig.json`,
      compilerOptions: {
        types: [], exactOptionalPropertyTypes: true, noPropertyAccessFromIndexSignature: true, paths: {},
      },
      include: [`${folder}/app.ts`], exclude: [],
    }
    await writeFile(`${folder}/tsconfig.json`, JSON.stringify(options))
    const tsc = `${root}node_modules/typescript/bin/tsc`
    const { stdout } = await promisify(execFile)(process.execPath, [tsc, '-p', folder, '--noEmit', '--pretty', 'false'])
      .catch((error: { stdout: string }) => error)
    const lines = source.split('\n')
    const refused = new Set(Array.from(stdout.matchAll(/app\.ts\((\d+),/g), ([, line]) => Number(line)))
    const expected = lines.flatMap((line, index) => line.includes(' // ') ? [index + 1] : [])
    expect([...refused].sort((a, b) => a - b), stdout).toEqual(expected)
    for (const line of expected) {
      const reason = lines[line - 1]!.split('// ').at(-1)!
      expect(stdout).toMatch(new RegExp(`app\\.ts\\(${line},[^\n]*(\n [^\n]*)*${reason}`))
    }
    expect(await readFile(`${folder}/app.ts`, 'utf8')).toBe(source)
  }
  finally {
    await rm(folder, { recursive: true })
  }
}, 60_000)
