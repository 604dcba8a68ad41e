/**
 * Any sequence of calls to the `ConnectStore` answers and leaves what a small model says; in the tables no ciphertext
 * is where none may be. Seen red: a status, a deadline, a scope or a claim left out of each condition of the store, a
 * rotation that does not compare.
 */
import { sql } from 'drizzle-orm'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createConnectStore } from '../../server/host/connect/store.ts'
import type { SyncDatabase } from '../../server/database/types.ts'
import { openTestDatabase } from '../helpers/database.ts'
import { connectCommands, expectEqual, type RealConnect } from './connect-commands.ts'
import { createConnectModel } from './connect-model.ts'
import { runs, timeoutMs, withoutFlushes } from './scale.ts'

const start = 1_800_000_000_000

it('does what the contract says, whatever is called after whatever', async () => {
  const database = await openTestDatabase(withoutFlushes)
  const store = createConnectStore(async () => database)
  await fc.assert(fc.asyncProperty(fc.commands(connectCommands, { maxCommands: 40, size: 'max' }), async (commands) => {
    await database.write(async (tx) => {
      await tx.run(sql`delete from connect_authorizations`)
      await tx.run(sql`delete from connect_environments`)
    })
    const model = createConnectModel()
    const real: RealConnect = { store, names: new Map(), newest: new Map(), clock: { now: start } }
    await fc.asyncModelRun(() => ({ model, real }), commands)
    await expectEqual(model, real)
    await expectNoStraySecret(database)
  }), runs(1_500))
}, timeoutMs(90))

async function expectNoStraySecret({ read }: SyncDatabase) {
  expect(await read.all(sql`
    select id from connect_authorizations 
      where (credential_ciphertext is not null) <> (status in ('approved', 'delivering'))
    union all
    select id from connect_environments where status in ('revoking', 'revoked')
      and (access_credential_ciphertext <> '' or tunnel_secret_ciphertext is not null)`)).toEqual([])
}
