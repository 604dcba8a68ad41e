import { eq } from 'drizzle-orm'
import { expect, it } from 'vitest'
import { users } from '../../../server/db/schema/index.ts'
import { openTestDatabase } from '../../helpers/database.ts'

it('keeps what was written when it is opened again', async () => {
  const first = await openTestDatabase()
  await Promise.all(Array.from({ length: 5 }, (_, index) =>
    first.write(tx => tx.insert(users).values({ id: `u${index}`, createdAt: 1 }))))
  await first.close()

  const again = await openTestDatabase({ path: first.path })
  expect(await again.read.select().from(users).where(eq(users.id, 'u4'))).toEqual([
    { id: 'u4', email: null, displayName: null, activeWorkspaceId: null, createdAt: 1 },
  ])
})

it('lets one failing write fail alone in a shared commit', async () => {
  const database = await openTestDatabase()
  const insert = (id: string) => database.write(tx => tx.insert(users).values({ id, createdAt: 1 }))
  const results = await Promise.allSettled([insert('a'), insert('b'), insert('a'), insert('c')])
  expect(results.map(result => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
  expect(await database.read.$count(users)).toBe(3)
})
