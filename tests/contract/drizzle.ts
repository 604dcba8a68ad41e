/** What the layer relies on in Drizzle over a libSQL `Client`; both clients pass it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client } from '@libsql/core/api'
import { asc, count, eq, sql } from 'drizzle-orm'
import { drizzle, type LibSQLDatabase } from 'drizzle-orm/libsql'
import { blob, integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { driverCode } from '../../server/database/driver-error.ts'
import type { CreateClient } from './libsql-client.ts'

const authors = sqliteTable('authors', {
  id: integer('id').primaryKey(),
  name: text('name').notNull().unique(),
  active: integer('active', { mode: 'boolean' }).notNull().default(true),
  bornAt: integer('born_at', { mode: 'timestamp_ms' }),
  face: blob('face', { mode: 'buffer' }),
  notes: text('notes', { mode: 'json' }).$type<{ tags: string[] }>(),
})
const books = sqliteTable('books', {
  id: integer('id').primaryKey(),
  authorId: integer('author_id').notNull().references(() => authors.id),
  name: text('name').notNull(),
})

export function describeDrizzle(name: string, create: CreateClient) {
  let folder: string
  let client: Client
  let db: LibSQLDatabase

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'or3-layer-'))
    client = create(join(folder, 'contract.db'))
    await client.executeMultiple(`
      PRAGMA synchronous = OFF;
      CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, active INTEGER NOT NULL DEFAULT 1, born_at INTEGER, face BLOB, notes TEXT);
      CREATE TABLE books (id INTEGER PRIMARY KEY, author_id INTEGER NOT NULL REFERENCES authors, name TEXT NOT NULL);
    `)
    db = drizzle(client)
    await db.insert(authors).values([{ id: 1, name: 'Ada' }, { id: 2, name: 'Bo' }])
    await db.insert(books).values([{ id: 1, authorId: 1, name: 'Ada' }, { id: 2, authorId: 1, name: 'Notes' }])
  })
  afterEach(async () => {
    client.close()
    await rm(folder, { recursive: true, force: true })
  })
  const authorNames = async () => (await db.select({ name: authors.name }).from(authors).orderBy(asc(authors.id))).map(row => row.name)

  describe(`Drizzle over ${name}`, () => {
    it('maps every kind of column there and back', async () => {
      const author = { id: 3, name: 'Cy', active: false, bornAt: new Date(1_700_000_000_123), face: Buffer.from([0, 255]), notes: { tags: ['é'] } }
      expect(await db.insert(authors).values(author).returning()).toEqual([author])
      expect(await db.select().from(authors).where(eq(authors.id, 3)).get()).toEqual(author)
      expect(await db.select().from(authors).where(eq(authors.id, 4)).get()).toBeUndefined()
    })

    // Seen red with rows that had each column name once: the book's id and name took the author's place.
    it('joins tables that share column names', async () => {
      const rows = await db.select().from(books).innerJoin(authors, eq(authors.id, books.authorId)).orderBy(asc(books.id))
      expect(rows.map(row => [row.books.id, row.books.name, row.authors.id, row.authors.name]))
        .toEqual([[1, 'Ada', 1, 'Ada'], [2, 'Notes', 1, 'Ada']])
      const left = await db.select().from(authors).leftJoin(books, eq(authors.id, books.authorId)).where(eq(authors.id, 2))
      expect(left).toMatchObject([{ authors: { id: 2 }, books: null }])
    })

    it('counts, groups and runs raw SQL', async () => {
      expect(await db.$count(books)).toBe(2)
      expect(await db.$count(books, eq(books.name, 'Notes'))).toBe(1)
      expect(await db.select({ author: books.authorId, n: count() }).from(books).groupBy(books.authorId)).toEqual([{ author: 1, n: 2 }])
      expect(await db.all(sql`SELECT id, name FROM ${authors} WHERE id = ${1}`)).toEqual([{ id: 1, name: 'Ada' }])
      expect(await db.get(sql`SELECT count(*) AS n FROM ${authors}`)).toEqual({ n: 2 })
      expect((await db.values(sql`SELECT 1, 2`)).map(row => Array.from(row))).toEqual([[1, 2]])
      expect((await db.run(sql`DELETE FROM ${books} WHERE id > ${0}`)).rowsAffected).toBe(2)
    })

    it('updates, upserts, deletes and returns rows', async () => {
      expect(await db.update(authors).set({ name: 'Bob' }).where(eq(authors.id, 2)).returning({ name: authors.name })).toEqual([{ name: 'Bob' }])
      await db.insert(authors).values({ id: 2, name: 'Bea' }).onConflictDoUpdate({ target: authors.id, set: { name: sql`excluded.name` } })
      await db.insert(authors).values({ id: 2, name: 'no' }).onConflictDoNothing()
      expect(await authorNames()).toEqual(['Ada', 'Bea'])
      expect(await db.delete(authors).where(eq(authors.id, 2)).returning()).toMatchObject([{ name: 'Bea' }])
      expect((await db.update(authors).set({ name: 'x' }).where(eq(authors.id, 9))).rowsAffected).toBe(0)
    })

    it('runs a batch whole or not at all', async () => {
      const [inserted, list] = await db.batch([
        db.insert(authors).values({ id: 3, name: 'Cy' }).returning({ id: authors.id }),
        db.select({ name: authors.name }).from(authors).orderBy(asc(authors.id)),
      ])
      expect(inserted).toEqual([{ id: 3 }])
      expect(list).toEqual([{ name: 'Ada' }, { name: 'Bo' }, { name: 'Cy' }])
      const failing = db.batch([db.insert(authors).values({ id: 4, name: 'Di' }), db.insert(authors).values({ id: 1, name: 'Ed' })])
      expect(driverCode(await failing.catch((error: unknown) => error))).toBe('SQLITE_CONSTRAINT')
      expect(await authorNames()).toEqual(['Ada', 'Bo', 'Cy'])
    })

    it('nests transactions as savepoints', async () => {
      await db.transaction(async (tx) => {
        await tx.insert(authors).values({ id: 3, name: 'Cy' })
        await expect(tx.transaction(async (inner) => {
          await inner.insert(authors).values({ id: 4, name: 'Di' })
          await inner.transaction(innermost => innermost.insert(authors).values({ id: 5, name: 'Ed' }))
          throw new Error('back')
        })).rejects.toThrow('back')
        await tx.transaction(inner => inner.insert(authors).values({ id: 6, name: 'Flo' }))
        expect(await tx.$count(authors)).toBe(4)
      })
      expect(await authorNames()).toEqual(['Ada', 'Bo', 'Cy', 'Flo'])
    })

    it('rolls a transaction back by an error and by rollback()', async () => {
      await expect(db.transaction(async (tx) => {
        await tx.insert(authors).values({ id: 3, name: 'Cy' })
        await tx.insert(authors).values({ id: 4, name: 'Cy' })
      })).rejects.toThrow()
      await expect(db.transaction(async (tx) => {
        await tx.delete(books)
        tx.rollback()
      })).rejects.toThrow()
      expect([await authorNames(), await db.$count(books)]).toEqual([['Ada', 'Bo'], 2])
    })

    it('fills placeholders of a prepared query anew each time', async () => {
      const byName = db.select({ id: authors.id }).from(authors).where(eq(authors.name, sql.placeholder('name'))).prepare()
      expect([await byName.all({ name: 'Ada' }), await byName.all({ name: 'Bo' }), await byName.all({ name: 'Cy' })]).toEqual([[{ id: 1 }], [{ id: 2 }], []])
    })
  })
}
