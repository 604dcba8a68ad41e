/**
 * The three-call look-up of a known user, done for every request there is: no write, only indexed point reads, and
 * queries that are built once for each database.
 * Seen red: `getOrCreateUser` writing whenever a profile is given; profiles compared as given instead of as stored;
 * an account or a membership found by a part of its key only.
 */
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/libsql'
import { expect, it, onTestFinished } from 'vitest'
import { createAuthWorkspaceStore } from '../../../server/host/auth-store.ts'
import { delegate } from '../../../server/database/delegate.ts'
import { createLocalClient } from '../../../server/database/local/client.ts'
import type { Statement } from '../../../server/database/statement.ts'
import type { SyncDatabase } from '../../../server/database/types.ts'
import { openTestDatabase } from '../../helpers/database.ts'

const account = { provider: 'p', providerUserId: 'ann', email: ' ann@example.org', displayName: 'A\0nn \uD800' }

/** What SQLite says of a search by all columns of a key: one row at most. */
const wholeKeys = ['id=?', 'provider=? AND provider_user_id=?', 'workspace_id=? AND user_id=?']

it('a known user\'s session is looked up without a write', async () => {
  const database = await openTestDatabase()
  await lookUp(database)
  const refusing: SyncDatabase = {
    ...database,
    write: () => Promise.reject(new Error('The look-up of a known user wrote.')),
  }
  expect(await lookUp(refusing)).toMatchObject({ created: false, role: 'owner' })
})

it('a known user\'s session is looked up by keys alone', async () => {
  const { database, statements } = await recordStatements()
  await lookUp(database)
  statements.length = 0
  await lookUp(database)
  expect(statements).toHaveLength(3)
  for (const statement of [...statements]) {
    const plan = await database.read.all<{ detail: string }>(sql.raw(`explain query plan ${statement}`))
    const constraints = plan.map(({ detail }) => /^SEARCH .* INDEX .* \((.*)\)$/.exec(detail)?.[1] ?? detail)
    expect(constraints.filter(constraint => !wholeKeys.includes(constraint))).toEqual([])
  }
})

it('a request that names its workspace costs two look-ups by keys and no write', async () => {
  const { database, statements } = await recordStatements()
  const { workspaceId } = await lookUp(database)
  const refusing: SyncDatabase = { ...database, write: () => Promise.reject(new Error('A look-up wrote.')) }
  statements.length = 0
  const store = createAuthWorkspaceStore(() => Promise.resolve(refusing))
  const { userId } = await store.getOrCreateUser(account)
  expect(await store.getMembership({ userId, workspaceId })).toEqual({ role: 'owner', workspaceName: expect.any(String) })
  expect(statements).toHaveLength(2)
  for (const statement of [...statements]) {
    const plan = await database.read.all<{ detail: string }>(sql.raw(`explain query plan ${statement}`))
    const constraints = plan.map(({ detail }) => /^SEARCH .* INDEX .* \((.*)\)$/.exec(detail)?.[1] ?? detail)
    expect(constraints.filter(constraint => !wholeKeys.includes(constraint))).toEqual([])
  }
})

it('each statement of the look-up is the same text every time', async () => {
  const { database, statements } = await recordStatements()
  await lookUp(database)
  statements.length = 0
  for (let n = 0; n < 5; n++) await lookUp(database)
  expect(new Set(statements).size).toBe(3)
})

async function lookUp(database: SyncDatabase) {
  const store = createAuthWorkspaceStore(() => Promise.resolve(database))
  const { userId } = await store.getOrCreateUser(account)
  const { workspaceId, created } = await store.getOrCreateDefaultWorkspace(userId)
  return { workspaceId, created, role: await store.getWorkspaceRole({ userId, workspaceId }) }
}

/** A database whose reads note the SQL they send. */
async function recordStatements() {
  const database = await openTestDatabase()
  const statements: string[] = []
  const client = createLocalClient({ path: database.path, pragmas: [] })
  onTestFinished(() => client.close())
  const read = drizzle(delegate(client, {
    execute: (statement: unknown) => {
      const { sql, args } = statement as Statement
      statements.push(sql)
      return client.execute({ sql, args })
    },
  }))
  return { database: { ...database, read }, statements }
}
