/**
 * Pulls beside a read replica that lags. Seen red: the replica asked without a look at its head (an own write missing, and a
 * snapshot wanted for nothing).
 */
import { expect, it, onTestFinished } from 'vitest'
import { openRemoteDatabase } from '../../../server/database/remote/open-remote.ts'
import { createSyncEngine } from '../../../server/sync/engine.ts'
import type { UserCaller } from '../../../server/sync/caller.ts'
import { layerMigrations } from '../../helpers/database.ts'
import { useSqld } from '../../helpers/remote-database.ts'
import { startSqld } from '../../helpers/sqld.ts'
import { putOf } from '../../helpers/sync.ts'

const sqld = useSqld()
const caller: UserCaller = { kind: 'user', workspaceId: 'workspace-1', userId: 'user-1' }
const scope = { workspaceId: caller.workspaceId }

it('serves what lies deep in the history from the replica, and the head from the primary', { timeout: 120_000 }, async () => {
  const primary = await sqld()
  const replica = await startSqld({ replicaOf: primary.grpcUrl })
  onTestFinished(() => replica.stop())
  const database = await openRemoteDatabase({ url: primary.wsUrl, replicaUrl: replica.wsUrl, synchronous: 'FULL' }, { layer: layerMigrations, app: [] })
  onTestFinished(() => database.close())
  let asked = 0
  const client = database.replica!.$client
  const counted = { ...database.replica!, $client: { ...client, execute: (statement: Parameters<typeof client.execute>[0]) => {
    asked++
    return client.execute(statement)
  } } } as NonNullable<typeof database.replica>
  const engine = createSyncEngine({ ...database, replica: counted })
  const ops = Array.from({ length: 50 }, (_, index) => putOf(`m${index}`))
  await engine.push(caller, { scope, ops })

  // Each write is seen at once, however late the replica is.
  for (let version = 51; version <= 70; version++) {
    await engine.push(caller, { scope, ops: [putOf(`m${version}`)] })
    const page = await engine.pull(caller, { scope, cursor: version - 1 })
    expect(page).toMatchObject({ nextCursor: version, hasMore: false, requiresSnapshot: false, changes: [{ serverVersion: version }] })
    expect(await engine.pull(caller, { scope, cursor: version })).toMatchObject({ changes: [], requiresSnapshot: false })
  }
  // A device that is far behind gets every change once, from wherever.
  let cursor = 0
  const versions: number[] = []
  for (let hasMore = true; hasMore;) {
    const page = await engine.pull(caller, { scope, cursor, limit: 7 })
    versions.push(...page.changes.map(change => change.serverVersion))
    cursor = page.nextCursor
    hasMore = page.hasMore
    expect(page.requiresSnapshot).toBe(false)
  }
  expect(versions).toEqual(Array.from({ length: 70 }, (_, index) => index + 1))
  expect(asked).toBeGreaterThan(3)
  // Without its replica it goes on.
  await replica.kill()
  expect((await engine.pull(caller, { scope, cursor: 0, limit: 7 })).changes).toHaveLength(7)
})
