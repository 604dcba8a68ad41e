/**
 * What the layer relies on in a libSQL `Client`. Our local client and `@libsql/client` both pass it, so that either can
 * stand under `drizzle()`. Left out is what differs on purpose: ours has one connection, so a call waits for an open
 * transaction; a column named `__proto__` is readable by index only; integers are numbers.
 */
import { LibsqlBatchError, LibsqlError, type Client, type InStatement, type InValue } from '@libsql/core/api'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Opens a client on the file at `path`; foreign keys on, no busy timeout. */
export type CreateClient = (path: string) => Client

export function describeLibsqlClient(name: string, create: CreateClient) {
  let folder: string
  let client: Client

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'or3-layer-'))
    client = create(join(folder, 'contract.db'))
    // Nothing here is about power loss: no flush to wait for.
    await client.executeMultiple(`
      PRAGMA synchronous = OFF;
      CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT UNIQUE, CHECK (name <> 'bad'));
      CREATE TABLE children (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parents ON DELETE CASCADE);
    `)
  })
  afterEach(async () => {
    client.close()
    await rm(folder, { recursive: true, force: true })
  })

  const insert = (id: number, parent = `p${id}`): InStatement => ({ sql: 'INSERT INTO parents (id, name) VALUES (?, ?)', args: [id, parent] })
  const names = async () => (await client.execute('SELECT name FROM parents ORDER BY id')).rows.map(row => row['name'])
  const failure = async (work: Promise<unknown>): Promise<LibsqlError> => {
    const error: unknown = await work.then(() => undefined, (reason: unknown) => reason)
    if (!(error instanceof LibsqlError)) throw new Error(`not a LibsqlError: ${String(error)}`, { cause: error })
    return error
  }
  const valueOf = async (sql: string, args: InValue[] = []) => (await client.execute({ sql, args })).rows[0]?.[0]

  describe(`${name}: statements`, () => {
    it('tells what a statement did', async () => {
      const inserted = await client.execute(insert(7))
      expect(inserted).toMatchObject({ columns: [], rows: [], rowsAffected: 1, lastInsertRowid: 7n })
      const selected = await client.execute('SELECT id, name AS "the name", 1 + 1 FROM parents')
      expect(selected.columns).toEqual(['id', 'the name', '1 + 1'])
      expect(selected.columnTypes).toEqual(['INTEGER', 'TEXT', ''])
      expect(selected.rowsAffected).toBe(0)
      expect(selected.toJSON()).toEqual({
        columns: selected.columns, columnTypes: selected.columnTypes, rows: [[7, 'p7', 2]], rowsAffected: 0, lastInsertRowid: null,
      })
    })

    it('takes positional and named arguments', async () => {
      expect(await valueOf('SELECT ?2 || ?1', ['a', 'b'])).toBe('ba')
      const { rows } = await client.execute({ sql: 'SELECT :one, @two, $three', args: { 'one': 1, '@two': 2, '$three': 3 } })
      expect(Array.from(rows[0]!)).toEqual([1, 2, 3])
      expect((await client.execute('SELECT ? + ?', [2, 3])).rows[0]?.[0]).toBe(5)
    })

    // Seen red without `padArgs`: the kept statement still had the second value of the first call.
    it('never uses an argument of an earlier call', async () => {
      const sql = 'SELECT ? AS one, ? AS two'
      await client.execute({ sql, args: ['mine', 'secret'] })
      expect((await client.execute({ sql, args: ['yours'] })).rows).toEqual([{ one: 'yours', two: null }])
      expect((await client.execute(sql)).rows).toEqual([{ one: null, two: null }])
      await client.execute({ sql: 'SELECT :one, :two', args: { one: 1, two: 2 } })
      expect(Array.from((await client.execute({ sql: 'SELECT :one, :two', args: { one: 3 } })).rows[0]!)).toEqual([3, null])
    })

    it('stores each kind of value', async () => {
      const bytes = Uint8Array.from([0, 1, 254, 255])
      expect(await valueOf('SELECT ?', [true])).toBe(1)
      expect(await valueOf('SELECT ?', [false])).toBe(0)
      expect(await valueOf('SELECT ?', [new Date(1_700_000_000_123)])).toBe(1_700_000_000_123)
      expect(await valueOf('SELECT ?', [null])).toBeNull()
      expect(await valueOf('SELECT ?', ['é\u0301 👩‍👩‍👧'])).toBe('é\u0301 👩‍👩‍👧')
      expect(await valueOf('SELECT ?', [-1.5])).toBe(-1.5)
      for (const blob of [bytes, bytes.buffer]) {
        const stored = await valueOf('SELECT ?', [blob])
        expect(stored).toBeInstanceOf(ArrayBuffer)
        expect(new Uint8Array(stored as ArrayBuffer)).toEqual(bytes)
      }
      expect(new Uint8Array(await valueOf('SELECT ?', [bytes.subarray(2)]) as ArrayBuffer)).toEqual(bytes.subarray(2))
    })

    it('keeps integers exact or refuses them', async () => {
      expect(await valueOf('SELECT ?', [9007199254740991n])).toBe(Number.MAX_SAFE_INTEGER)
      expect(await valueOf('SELECT typeof(?)', [1n])).toBe('integer')
      await expect(valueOf('SELECT 9007199254740992')).rejects.toThrow(RangeError)
      await expect(valueOf('SELECT -9007199254740992')).rejects.toThrow(RangeError)
      await expect(valueOf('SELECT ?', [2n ** 63n])).rejects.toThrow(RangeError)
      await expect(valueOf('SELECT ?', [Number.NaN])).rejects.toThrow(RangeError)
      await expect(valueOf('SELECT ?', [undefined as unknown as null])).rejects.toThrow(TypeError)
      await expect(valueOf('SELECT ?', [{} as unknown as null])).rejects.toThrow()
      expect(await valueOf('SELECT 1'), 'the client goes on').toBe(1)
    })

    it('runs a script up to its first error', async () => {
      const error = await failure(client.executeMultiple(`INSERT INTO parents VALUES (1, 'a'); INSERT INTO nowhere VALUES (1); INSERT INTO parents VALUES (2, 'b')`))
      expect(error.code).toBe('SQLITE_ERROR')
      expect(await names()).toEqual(['a'])
    })
    it('ends a transaction that a script left open', async () => {
      await client.executeMultiple(`BEGIN; INSERT INTO parents VALUES (3, 'c')`)
      expect(await names()).toEqual([])
    })
  })

  describe(`${name}: rows`, () => {
    it('have their values by name and by index', async () => {
      const { rows } = await client.execute('SELECT 1 AS a, NULL AS b, \'x\' AS c UNION ALL SELECT 2, 3, 4')
      expect(rows).toHaveLength(2)
      const row = rows[0]!
      expect([row['a'], row['b'], row['c'], row[0], row[1], row[2], row[3], row.length]).toEqual([1, null, 'x', 1, null, 'x', undefined, 3])
      expect(Object.keys(row)).toEqual(['a', 'b', 'c'])
      expect(Array.from(row)).toEqual([1, null, 'x'])
      expect(Array.prototype.slice.call(row)).toEqual([1, null, 'x'])
      expect({ ...row }).toEqual({ a: 1, b: null, c: 'x' })
      expect(JSON.stringify(rows[1])).toBe('{"a":2,"b":3,"c":4}')
      expect(Object.hasOwn(row, 'a')).toBe(true)
      expect(row).toBeInstanceOf(Object)
      row['a'] = 5
      expect([row['a'], row[0]]).toEqual([5, 1])
    })

    // Seen red with the last of two names winning, and with an assignment to `length`.
    it('keep the first of two names, and their length and indices', async () => {
      const { rows, columns } = await client.execute('SELECT 1 AS a, 2 AS a, 3 AS length, 4 AS "0", 5 AS constructor, 6 AS "values"')
      const row = rows[0]!
      expect(columns).toEqual(['a', 'a', 'length', '0', 'constructor', 'values'])
      expect([row['a'], row[1], row.length, row[0], row.constructor, row['values']]).toEqual([1, 2, 6, 1, 5, 6])
      expect(Array.from(row)).toEqual([1, 2, 3, 4, 5, 6])
    })

    it('come whole, however many', async () => {
      const { rows } = await client.execute('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) SELECT i FROM n')
      expect(rows.map(row => row['i'])).toEqual(Array.from({ length: 300 }, (_, index) => index + 1))
    })

    // Seen red with `*` kept: the new column had no name.
    it('have the columns of now', async () => {
      await client.execute(insert(1))
      expect((await client.execute('SELECT * FROM parents')).columns).toEqual(['id', 'name'])
      await client.execute('ALTER TABLE parents ADD COLUMN note TEXT DEFAULT \'n\'')
      expect((await client.execute('SELECT * FROM parents')).rows).toEqual([{ id: 1, name: 'p1', note: 'n' }])
      await client.execute('ALTER TABLE parents RENAME COLUMN note TO remark')
      expect((await client.execute('SELECT * FROM parents')).rows).toEqual([{ id: 1, name: 'p1', remark: 'n' }])
    })
  })

  describe(`${name}: errors`, () => {
    // Seen red with the number left out of `mapDriverError`.
    it.each([
      ['INSERT INTO parents (id, name) VALUES (1, \'p1\')', 'SQLITE_CONSTRAINT', 'SQLITE_CONSTRAINT_PRIMARYKEY', 1555],
      ['INSERT INTO parents (id, name) VALUES (2, \'p1\')', 'SQLITE_CONSTRAINT', 'SQLITE_CONSTRAINT_UNIQUE', 2067],
      ['INSERT INTO parents (id, name) VALUES (2, \'bad\')', 'SQLITE_CONSTRAINT', 'SQLITE_CONSTRAINT_CHECK', 275],
      ['INSERT INTO children (parent_id) VALUES (9)', 'SQLITE_CONSTRAINT', 'SQLITE_CONSTRAINT_FOREIGNKEY', 787],
      ['INSERT INTO children (parent_id) VALUES (NULL)', 'SQLITE_CONSTRAINT', 'SQLITE_CONSTRAINT_NOTNULL', 1299],
      ['INSERT INTO parents (id) VALUES (\'text\')', 'SQLITE_MISMATCH', 'SQLITE_MISMATCH', 20],
      ['SELECT * FROM nowhere', 'SQLITE_ERROR', 'SQLITE_ERROR', 1],
      ['SELEKT', 'SQLITE_ERROR', 'SQLITE_ERROR', 1],
    ])('%s is %s', async (sql, code, extendedCode, rawCode) => {
      await client.execute(insert(1))
      const error = await failure(client.execute(sql))
      expect(error).toMatchObject({ code, extendedCode, rawCode })
      expect(error.message.startsWith(`${code}: `)).toBe(true)
      expect(error.cause).toBeInstanceOf(Error)
    })

    it('of a closed client say so', async () => {
      const transaction = await client.transaction('write')
      client.close()
      client.close()
      expect(client.closed).toBe(true)
      expect(transaction.closed).toBe(true)
      transaction.close()
      for (const call of [client.execute('SELECT 1'), client.batch([]), client.transaction(), client.executeMultiple(''), client.migrate([])]) {
        expect((await failure(call)).code).toBe('CLIENT_CLOSED')
      }
      expect((await failure(transaction.execute('SELECT 1'))).code).toBe('TRANSACTION_CLOSED')
      await client.reconnect()
      expect(client.closed).toBe(false)
      expect(await names()).toEqual([])
    })
  })

  describe(`${name}: batch and migrate`, () => {
    it('commit all or nothing and say which statement failed', async () => {
      const results = await client.batch([insert(1), ['INSERT INTO parents VALUES (?, ?)', [2, 'two']], 'SELECT count(*) AS n FROM parents'], 'write')
      expect(results.map(result => result.rowsAffected)).toEqual([1, 1, 0])
      expect(results[2]?.rows).toEqual([{ n: 2 }])
      const error = await failure(client.batch([insert(3), insert(1)], 'write'))
      expect(error).toBeInstanceOf(LibsqlBatchError)
      expect(error).toMatchObject({ statementIndex: 1, code: 'SQLITE_CONSTRAINT', extendedCode: 'SQLITE_CONSTRAINT_PRIMARYKEY', rawCode: 1555 })
      expect(await names()).toEqual(['p1', 'two'])
    })

    it.each(['read', 'deferred', undefined] as const)('reads in mode %s', async (mode) => {
      expect((await client.batch(['SELECT 1', 'SELECT 2'], mode)).map(result => result.rows[0]?.[0])).toEqual([1, 2])
    })

    // Seen red without the look at `inTransaction`: the second row stayed.
    it('stop when a statement ends the transaction', async () => {
      const error = await failure(client.batch([insert(1), 'ROLLBACK', insert(2)], 'write'))
      expect(error).toMatchObject({ statementIndex: 2, code: 'TRANSACTION_CLOSED' })
      expect(await names()).toEqual([])
    })

    // Seen red with foreign keys left on: the children went with their table.
    it('rebuilds a table in migrate and keeps its children', async () => {
      await client.batch([insert(1), 'INSERT INTO children VALUES (10, 1)'], 'write')
      await client.migrate([
        'CREATE TABLE parents_new (id INTEGER PRIMARY KEY, name TEXT, age INTEGER)',
        'INSERT INTO parents_new (id, name) SELECT id, name FROM parents',
        'DROP TABLE parents',
        'ALTER TABLE parents_new RENAME TO parents',
      ])
      expect(await valueOf('SELECT count(*) FROM children')).toBe(1)
      expect((await failure(client.execute('INSERT INTO children (parent_id) VALUES (9)'))).extendedCode).toBe('SQLITE_CONSTRAINT_FOREIGNKEY')
      const error = await failure(client.migrate(['CREATE TABLE half (a)', 'SELEKT']))
      expect(error).toMatchObject({ statementIndex: 1, code: 'SQLITE_ERROR' })
      expect(await valueOf('SELECT count(*) FROM sqlite_master WHERE name = \'half\'')).toBe(0)
      expect(await valueOf('PRAGMA foreign_keys')).toBe(1)
    })
  })

  describe(`${name}: transactions`, () => {
    it('commit, roll back and close', async () => {
      const first = await client.transaction('write')
      await first.execute(insert(1))
      await first.batch([insert(2), insert(3)])
      await first.executeMultiple('INSERT INTO parents VALUES (4, \'p4\'); INSERT INTO parents VALUES (5, \'p5\')')
      expect(first.closed).toBe(false)
      await first.commit()
      expect(first.closed).toBe(true)
      for (const end of ['rollback', 'close'] as const) {
        const transaction = await client.transaction()
        await transaction.execute(insert(6))
        await transaction[end]()
        expect(transaction.closed).toBe(true)
        await transaction.rollback()
        transaction.close()
        for (const call of [transaction.execute('SELECT 1'), transaction.commit(), transaction.executeMultiple(''), transaction.batch(['SELECT 1'])]) {
          expect((await failure(call)).code).toBe('TRANSACTION_CLOSED')
        }
      }
      expect(await names()).toEqual(['p1', 'p2', 'p3', 'p4', 'p5'])
    })

    it('go on after a statement that failed', async () => {
      const transaction = await client.transaction('write')
      await transaction.execute(insert(1))
      expect(await failure(transaction.batch([insert(2), insert(1)]))).toMatchObject({ statementIndex: 1, code: 'SQLITE_CONSTRAINT' })
      await transaction.execute(insert(3))
      await transaction.commit()
      expect(await names()).toEqual(['p1', 'p2', 'p3'])
    })

    // Seen red without the look at `inTransaction`: p2 was written on its own.
    it('are over once a statement ended them', async () => {
      const transaction = await client.transaction('write')
      await transaction.execute(insert(1))
      await transaction.execute('ROLLBACK')
      expect(transaction.closed).toBe(true)
      expect((await failure(transaction.execute(insert(2)))).code).toBe('TRANSACTION_CLOSED')
      expect((await failure(transaction.commit())).code).toBe('TRANSACTION_CLOSED')
      await client.execute(insert(3))
      expect(await names()).toEqual(['p3'])
    })

    // Seen red with the transaction on whatever connection the client has: p2 was written on its own.
    it('do not outlive their connection', async () => {
      const transaction = await client.transaction('write')
      await transaction.execute(insert(1))
      await client.reconnect()
      expect(transaction.closed).toBe(true)
      expect((await failure(transaction.execute(insert(2)))).code).toBe('TRANSACTION_CLOSED')
      expect(await names()).toEqual([])
    })
  })
}
