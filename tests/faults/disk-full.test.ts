import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { isError } from 'h3'
import { expect, it, onTestFinished } from 'vitest'
import { users } from '../../server/db/schema/index.ts'
import type { ErrorData } from '../../server/errors.ts'
import { openTestDatabase, type TestDatabase } from '../helpers/database.ts'
import { makeSmallDisk, runDiskFull, type DiskFullFigures } from './disk-full.ts'
import { report, scale } from './scale.ts'

function limitPages(database: TestDatabase, extra: number | undefined) {
  return database.write(async (tx) => {
    const [page] = await tx.all<{ page_count: number }>(sql`PRAGMA page_count`)
    await tx.run(sql.raw(`PRAGMA max_page_count = ${extra === undefined ? 2 ** 30 : page!.page_count + extra}`))
  })
}

/** `tell` is what becomes of the answer to a write. */
async function run(cycles: number, tell: (answer: Promise<unknown>) => Promise<unknown>): Promise<DiskFullFigures> {
  const disk = await makeSmallDisk(extra => limitPages(database, extra))
  onTestFinished(() => disk.remove())
  const database = await openTestDatabase({ path: join(disk.folder, 'full.db'), env: { OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'FULL' } })
  const figures = await runDiskFull({
    disk, cycles,
    write: (id, bytes) => tell(database.write(tx => tx.insert(users).values({ id, displayName: 'x'.repeat(bytes), createdAt: 1 }))),
    readIds: async () => (await database.read.select({ id: users.id }).from(users)).map(row => row.id),
    deleteAll: () => database.write(tx => tx.delete(users)),
    isRefusal: error => isError<ErrorData>(error) && error.data?.code === 'DATABASE_FULL',
  })
  expect(await database.read.all(sql`PRAGMA integrity_check`)).toEqual([{ integrity_check: 'ok' }])
  return figures
}

it('refuses writes with one code while the disk is full, reads on, and writes again once there is room', async () => {
  const figures = await run(Math.ceil(20 * scale), answer => answer)
  report('diskFull', figures)
  expect(figures).toMatchObject({ lost: 0, ghosts: 0, failures: [], stuck: 0 })
  expect(figures.refused).toBeGreaterThan(0)
  expect(figures.acked).toBeGreaterThan(0)
})

it('finds the rows of a server that says success to what did not fit', async () => {
  const figures = await run(2, answer => answer.catch(() => {}))
  report('diskFull, errors told as success', figures)
  expect(figures.lost).toBeGreaterThan(0)
})
