/**
 * Databases of every revision that was released, opened by today's layer: no row is lost, and it goes on from there. A
 * fresh database gets every migration, and would not show one that spoils what is there (T15). Killed inside of one, and
 * two starts at once: `migrate-processes.test.ts`.
 */
import { copyFile, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { createAuthWorkspaceStore } from '../../../server/host/auth-store.ts'
import { ledgerTable, MigrationError } from '../../../server/database/migrate.ts'
import { layerMigrations, makeTempFolder, openTestDatabase } from '../../helpers/database.ts'
import { eventOf, pullAll, putOf, snapshotAll } from '../../helpers/sync.ts'
import { adapterOf } from '../../helpers/engine.ts'

const fixtures = fileURLToPath(new URL('../../fixtures/revisions/', import.meta.url))
const journal = fileURLToPath(new URL('../../../drizzle/meta/_journal.json', import.meta.url))
const { entries } = JSON.parse(await readFile(journal, 'utf8')) as { entries: { tag: string }[] }
const tags = entries.map(({ tag }) => tag)

async function copyOf(tag: string): Promise<string> {
  const path = join(await makeTempFolder(), 'sync.db')
  await copyFile(join(fixtures, `${tag}.db`), path)
  return path
}

type Row = Record<string, unknown>

/** Every row of every table, and whether SQLite finds the file whole. */
function readAll(path: string): Map<string, Row[]> {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    expect(database.prepare('pragma integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
    expect(database.prepare('pragma foreign_key_check').all()).toEqual([])
    const names = database.prepare(`select name from sqlite_master where type = 'table' and name not like 'sqlite_%'`).all()
    return new Map(names.map(({ name }) => [String(name), database.prepare(`select * from "${name}"`).all() as Row[]]))
  }
  finally {
    database.close()
  }
}

// Seen red with a migration in the journal and no file for it. `tests/fixtures/make-revision.ts` makes one.
it('are there for each migration, and stay small', async () => {
  const files = (await readdir(fixtures)).filter(name => name.endsWith('.db')).toSorted()
  expect(files).toEqual(tags.map(tag => `${tag}.db`))
  for (const file of files) expect((await stat(join(fixtures, file))).size).toBeLessThan(200_000)
})

describe.each(tags.map((tag, index) => ({ tag, applied: index + 1 })))('a database of $tag', ({ tag, applied }) => {
  it('is of that revision, with rows in every table', async () => {
    const tables = readAll(await copyOf(tag))
    const ledger = tables.get(ledgerTable)!.map(({ hash, created_at }) => [hash, Number(created_at)])
    expect(ledger).toEqual(layerMigrations.slice(0, applied).map(({ hash, folderMillis }) => [hash, folderMillis]))
    expect([...tables].filter(([, rows]) => rows.length === 0)).toEqual([])
  })

  // Seen red with a further migration that deletes a row, and with one that empties a column.
  it('has every row after today\'s layer has opened it', async () => {
    const path = await copyOf(tag)
    const before = readAll(path)
    await (await openTestDatabase({ path })).close()
    const after = readAll(path)
    expect(after.get(ledgerTable)).toHaveLength(layerMigrations.length)
    before.delete(ledgerTable)
    for (const [name, rows] of before) {
      // A later revision may have more columns, and fewer where they were of no use.
      const columns = Object.keys(after.get(name)?.[0] ?? {}).filter(column => column in rows[0]!)
      const valuesOf = (row: Row) => JSON.stringify(columns.map(column => row[column]))
      const kept = new Set(after.get(name)?.map(valuesOf))
      expect(rows.filter(row => !kept.has(valuesOf(row))), name).toEqual([])
    }
  })

  it('serves who is in it, what they have written, and what they write now', async () => {
    const path = await copyOf(tag)
    const database = await openTestDatabase({ path })
    const store = createAuthWorkspaceStore(async () => database)
    const { userId } = await store.getOrCreateUser({ provider: 'fixture', providerUserId: 'ann' })
    expect(readAll(await copyOf(tag)).get('users')!.map(({ id }) => id)).toContain(userId)
    const { workspaceId } = await store.getOrCreateDefaultWorkspace(userId)
    expect(await store.getWorkspaceRole({ userId, workspaceId })).toBe('owner')
    expect((await store.listMembers!({ userId, workspaceId })).map(({ role }) => role)).toEqual(['owner', 'editor'])

    const adapter = adapterOf(database)
    const as = eventOf(userId, workspaceId)
    const { items } = await snapshotAll(adapter, { as, workspace: workspaceId })
    const live = items.flatMap(item => item.kind === 'row' ? [[item.pk, item.payload]] : [])
    expect(live).toMatchObject([['a', { title: 'Thread a, 3', more: { é: [1e21, null] } }], ['c', { title: 'Thread c, 1' }]])
    expect(items.filter(({ kind }) => kind !== 'row').map(({ pk }) => pk)).toEqual(['b', 'd'])
    const { nextCursor } = await pullAll(adapter, { as, workspace: workspaceId })
    const op = putOf('new', { tableName: 'threads', stamp: { clock: 1 } })
    expect(await adapter.push(as, { scope: { workspaceId }, ops: [op] })).toMatchObject({ results: [{ success: true, serverVersion: nextCursor + 1 }] })
  })

  it.each([
    ['an edited', layerMigrations.map((one, index) => index === 0 ? { ...one, hash: 'edited' } : one), /is not the one/],
    ['a reordered', [{ ...layerMigrations[0]!, hash: 'other' }, ...layerMigrations], /out of order|another order|is not the one/],
    ['an older', [], /newer release/],
  ])('is refused by %s history, and not touched', async (_, layer, message) => {
    const path = await copyOf(tag)
    const before = readAll(path)
    const opening = openTestDatabase({ path, migrations: { layer } })
    await expect(opening).rejects.toThrow(MigrationError)
    await expect(opening).rejects.toThrow(message)
    expect(readAll(path)).toEqual(before)
  })
})
