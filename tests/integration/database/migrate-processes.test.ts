/** Migrations by several processes, and by one that is killed inside. */
import { execFile } from 'node:child_process'
import { copyFile, cp, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, vi } from 'vitest'
import { createLocalClient } from '../../../server/database/local/client.ts'
import { ledgerTable } from '../../../server/database/migrate.ts'
import { startChild } from '../../helpers/child.ts'
import { layerMigrations, makeTempFolder, openTestDatabase } from '../../helpers/database.ts'

// Each starts many processes.
vi.setConfig({ testTimeout: 180_000 })

const root = fileURLToPath(new URL('../../..', import.meta.url))
const owner = 'helpers/database-owner.ts'
const migrateByHand = (path: string) => promisify(execFile)(join(root, 'node_modules/.bin/drizzle-kit'), ['migrate'], {
  cwd: root, env: { ...process.env, OR3_SQLITE_DB_PATH: path, PATH: `${join(root, 'node_modules/.bin')}:${process.env['PATH']}` },
})

/** What a file holds, or that it is whole. */
async function readState(path: string) {
  const client = createLocalClient({ path, pragmas: [] })
  const read = async (sql: string) => (await client.execute(sql)).rows.map(row => row[0])
  try {
    expect(await read('PRAGMA integrity_check')).toEqual(['ok'])
    const tables = await read(`SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`)
    return { tables, ledger: tables.includes(ledgerTable) ? await read(`SELECT hash FROM ${ledgerTable}`) : [] }
  }
  finally {
    client.close()
  }
}
const hashes = layerMigrations.map(migration => migration.hash)

/** Where migrations begin: with nothing, and with each revision that was released. */
const beginnings = [
  { what: 'a new file', begin: async () => {} },
  { what: 'a file of the first revision', begin: (path: string) => copyFile(join(root, 'tests/fixtures/revisions/0000_initial.db'), path) },
]

// Seen red without the owner lock: both served.
it.each(beginnings)('lets one of two starts on $what serve, and refuses the other', async ({ begin }) => {
  for (let round = 0; round < 2; round++) {
    const path = join(await makeTempFolder(), 'new.db')
    await begin(path)
    const children = [startChild(owner, [path]), startChild(owner, [path])]
    const said = await Promise.all(children.map(child => child.line()))
    expect(said.toSorted()).toEqual([expect.stringMatching(/^DatabaseInUseError/), 'open'])
    await Promise.all(children.map(child => child.end()))
    expect((await readState(path)).ledger).toEqual(hashes)
  }
})

// Seen red with a commit after each migration.
it.each(beginnings)('is before or after a migration in which it was killed: $what', async ({ begin }) => {
  const folder = await makeTempFolder()
  const migrationsFolder = join(folder, 'drizzle')
  await cp(join(root, 'drizzle'), migrationsFolder, { recursive: true })
  const journalFile = join(migrationsFolder, 'meta/_journal.json')
  const journal = JSON.parse(await readFile(journalFile, 'utf8')) as { entries: { idx: number, when: number, tag: string }[] }
  for (const [index, tag] of ['slow_one', 'slow_two'].entries()) {
    journal.entries.push({ ...journal.entries.at(-1)!, idx: 100 + index, when: journal.entries.at(-1)!.when + 1, tag })
    await writeFile(join(migrationsFolder, `${tag}.sql`), `CREATE TABLE ${tag} (a);\n--> statement-breakpoint\n`
    + `INSERT INTO ${tag} WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150000) SELECT randomblob(40) FROM n;`)
  }
  await writeFile(journalFile, JSON.stringify(journal))

  let killedInside = 0
  for (let round = 0; round < 5; round++) {
    const path = join(folder, `killed-${round}.db`)
    await begin(path)
    const before = await readState(path)
    const child = startChild(owner, [path, migrationsFolder])
    const sizeOfLog = () => stat(`${path}-wal`).then(({ size }) => size, () => 0)
    while (await sizeOfLog() === 0) await sleep(1)
    await sleep(round * 30)
    await child.kill()
    const { tables, ledger } = await readState(path)
    if (ledger.length === before.ledger.length) {
      killedInside++
      expect(tables).toEqual(before.tables)
    }
    else {
      expect(ledger).toHaveLength(hashes.length + 2)
    }
  }
  expect(killedInside).toBeGreaterThan(1)
})

// Seen red with another name for the ledger.
it('agrees with drizzle-kit on one ledger, whoever comes first', async () => {
  const folder = await makeTempFolder()
  const handFirst = join(folder, 'hand.db')
  await migrateByHand(handFirst)
  expect((await readState(handFirst)).ledger).toEqual(hashes)
  await (await openTestDatabase({ path: handFirst })).close()

  const bootFirst = join(folder, 'boot.db')
  await (await openTestDatabase({ path: bootFirst })).close()
  await migrateByHand(bootFirst)
  expect(await readState(bootFirst)).toEqual(await readState(handFirst))

  for (let round = 0; round < 2; round++) {
    const path = join(folder, `race-${round}.db`)
    const byHand = migrateByHand(path).catch(() => {})
    await sleep(400 + round * 150)
    const child = startChild(owner, [path])
    expect(await child.line()).toBe('open')
    await child.end()
    await byHand
    expect((await readState(path)).ledger).toEqual(hashes)
  }
})

// Seen red with no wait around the migrations.
it('waits for another process that holds the lock', async () => {
  const path = join(await makeTempFolder(), 'locked.db')
  await (await openTestDatabase({ path, migrations: { layer: [] } }).catch(() => undefined))?.close()
  const holder = startChild('helpers/lock-holder.ts', [path, 'hold'])
  await holder.line()
  const opening = openTestDatabase({ path })
  await sleep(300)
  await holder.end()
  await (await opening).close()
  expect((await readState(path)).ledger).toEqual(hashes)
})
