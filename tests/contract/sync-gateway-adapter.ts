/**
 * What every `SyncGatewayAdapter` must do, as functions over one: what a push answers and keeps.
 * Reads and cursors are in `sync-gateway-adapter-reads.ts`, clean-up in `sync-gateway-adapter-clean-up.ts`.
 * Seen red: each check of an op left out in turn, repeats compared without their clock or by their text, versions with
 * holes, an answer without the winner, somebody else's row changed, a delete shown to everybody.
 */
import { describe, expect, it } from 'vitest'
import type { SyncGatewayAdapter } from '../../server/host/sync-adapter/types.ts'
import { changeOf, deleteOf, event, eventOf, messageOf, payloads, pullAll, putOf, scope, snapshotAll, tableNames } from '../helpers/sync.ts'
import { describeCleanUp } from './sync-gateway-adapter-clean-up.ts'
import { describeReads } from './sync-gateway-adapter-reads.ts'
import { wrongOps } from './wrong-ops.ts'

/** An adapter of a later host: on a database of its own, with nothing in it. */
export type CompleteAdapter = SyncGatewayAdapter & Pick<Required<SyncGatewayAdapter>, 'snapshot' | 'gcChangeLog' | 'gcTombstones' | 'listWorkspaceIds'>
export type MakeAdapter = () => Promise<CompleteAdapter>

export function describeSyncGatewayAdapter(name: string, makeAdapter: MakeAdapter): void {
  describe(`${name}: a sync gateway adapter`, () => {
    describeReceipts(makeAdapter)
    describeRepeats(makeAdapter)
    describeWinners(makeAdapter)
    describeOwners(makeAdapter)
    describeReads(makeAdapter)
    describeCleanUp(makeAdapter)
  })
}

function describeReceipts(makeAdapter: MakeAdapter): void {
  describe('receipts', () => {
    it('gives ops contiguous versions in their order and answers each once', async () => {
      const adapter = await makeAdapter()
      const ops = tableNames.map(tableName => putOf(`${tableName}-1`, { tableName }))
      const { results, serverVersion } = await adapter.push(event, { scope, ops })
      expect(results.map(({ opId, success, serverVersion, applied }) => [opId, success, serverVersion, applied]))
        .toEqual(ops.map((op, index) => [op.stamp.opId, true, index + 1, true]))
      expect(serverVersion).toBe(7)
      expect((await pullAll(adapter)).changes).toEqual(ops.map((op, index) => changeOf(op, index + 1)))
    })

    it('answers an empty batch with the head', async () => {
      const adapter = await makeAdapter()
      expect(await adapter.push(event, { scope, ops: [] })).toEqual({ results: [], serverVersion: 0 })
      await adapter.push(event, { scope, ops: [putOf('a')] })
      expect(await adapter.push(event, { scope, ops: [] })).toEqual({ results: [], serverVersion: 1 })
    })

    it.each(wrongOps())('lets an op fail alone: %s', async (_, wrong, errorCode, error) => {
      const adapter = await makeAdapter()
      const { results, serverVersion } = await adapter.push(event, { scope, ops: [putOf('before'), wrong, putOf('after')] })
      expect(results.map(result => [result.success, result.serverVersion])).toEqual([[true, 1], [false, undefined], [true, 2]])
      expect(results[1]).toMatchObject({ opId: wrong.stamp.opId, errorCode, retryable: false, error: expect.stringMatching(error) })
      expect(serverVersion).toBe(2)
    })

    it('takes what only looks wrong: a clock that is off, an odd hlc, a late table field, a delete of nothing', async () => {
      const adapter = await makeAdapter()
      const ops = [
        putOf('a', { stamp: { hlc: '' } }),
        putOf('b', { stamp: { hlc: 'zzzzzzzzz:zzz:elsewhen' } }),
        putOf('c', { stamp: { hlc: '🕰'.repeat(256), clock: 2 ** 32 - 1 } }),
        putOf('d', { payload: messageOf('d', { created_at: -1e12, updated_at: 4e15, from_the_future: { a: 1 } }), stamp: { clock: 0 } }),
        deleteOf('e', { payload: { id: 'e', deleted: true, deleted_at: 1 } }),
        deleteOf('f', { tableName: 'notifications' }),
        putOf('__proto__', { payload: messageOf('__proto__') }),
        putOf('constructor', { payload: messageOf('constructor') }),
      ]
      const { results } = await adapter.push(event, { scope, ops })
      expect(results.map(result => result.success)).toEqual(ops.map(() => true))
      expect((await pullAll(adapter)).changes).toEqual(ops.map((op, index) => changeOf(op, index + 1)))
    })

    it('refuses a body of another shape with the path of the field', async () => {
      const adapter = await makeAdapter()
      const op = putOf('a')
      const bodies: [unknown, RegExp][] = [
        [null, /body/], [[], /body/], [{ ops: [] }, /scope/], [{ scope: {}, ops: [] }, /scope\.workspaceId/],
        [{ scope }, /ops/], [{ scope, ops: {} }, /ops/], [{ scope, ops: [op, 7] }, /ops\.1/],
        [{ scope, ops: [{ ...op, operation: 'patch' }] }, /ops\.0\.operation/],
        [{ scope, ops: [{ ...op, stamp: { ...op.stamp, clock: '1' } }] }, /ops\.0\.stamp\.clock/],
        [{ scope, ops: [{ ...op, stamp: undefined }] }, /ops\.0\.stamp/],

      ]
      for (const [body, path] of bodies) {
        await expect(adapter.push(event, body as never)).rejects.toMatchObject({ statusCode: 400, message: expect.stringMatching(path) })
      }
    })

    it('takes 1,000 ops in one push and refuses one more', async () => {
      const adapter = await makeAdapter()
      const ops = Array.from({ length: 1001 }, (_, index) => putOf(`m${index}`))
      await expect(adapter.push(event, { scope, ops })).rejects.toMatchObject({ statusCode: 400 })
      const { results, serverVersion } = await adapter.push(event, { scope, ops: ops.slice(1) })
      expect(results.every(result => result.success)).toBe(true)
      expect(serverVersion).toBe(1000)
    })

    it('refuses a session in another workspace', async () => {
      const adapter = await makeAdapter()
      await expect(adapter.push(eventOf('user-1', 'workspace-2'), { scope, ops: [] })).rejects.toMatchObject({ statusCode: 403 })
    })

    it('has no hole and no repeat when many push at once, and shows versions in order', async () => {
      const adapter = await makeAdapter()
      const pushes = Array.from({ length: 40 }, (_, index) => adapter.push(event, { scope, ops: [putOf(`a${index}`), putOf(`b${index}`, { stamp: { clock: -1 } }), putOf(`c${index}`)] }))
      const reads = Array.from({ length: 20 }, async () => {
        const { changes } = await adapter.pull(event, { scope, cursor: 0, limit: 1000 })
        expect(changes.map(change => change.serverVersion)).toEqual(changes.map((_, index) => index + 1))
      })
      const answers = await Promise.all(pushes)
      await Promise.all(reads)
      const versions = answers.flatMap(answer => answer.results.flatMap(result => result.serverVersion ?? []))
      expect(versions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 80 }, (_, index) => index + 1))
      for (const { results, serverVersion } of answers) {
        expect(results[2]!.serverVersion).toBe(results[0]!.serverVersion! + 1)
        expect(serverVersion).toBeGreaterThanOrEqual(results[2]!.serverVersion!)
      }
    })
  })
}

function describeRepeats(makeAdapter: MakeAdapter): void {
  describe('repeats', () => {
    it('answers a repeat with the first version and writes nothing', async () => {
      const adapter = await makeAdapter()
      const ops = [putOf('a', { stamp: { clock: 2 } }), putOf('b'), deleteOf('c')]
      await adapter.push(event, { scope, ops })
      const { results, serverVersion } = await adapter.push(event, { scope, ops: ops.toReversed() })
      expect(results.map(({ serverVersion, replayed, applied }) => [serverVersion, replayed, applied])).toEqual([[3, true, true], [2, true, true], [1, true, true]])
      expect(serverVersion).toBe(3)
      expect((await pullAll(adapter)).changes).toHaveLength(3)
    })

    it('says of a repeat whether it is the winner now', async () => {
      const adapter = await makeAdapter()
      const first = putOf('a')
      const second = putOf('a', { stamp: { clock: 2 } })
      await adapter.push(event, { scope, ops: [first, second] })
      const { results } = await adapter.push(event, { scope, ops: [first] })
      expect(results[0]).toMatchObject({ success: true, serverVersion: 1, replayed: true, applied: false, winner: { kind: 'put', payload: second.payload } })
    })

    it('does not mind the order of keys', async () => {
      const adapter = await makeAdapter()
      const op = putOf('a')
      await adapter.push(event, { scope, ops: [op] })
      const turned = { ...op, payload: Object.fromEntries(Object.entries(op.payload as object).toReversed()) }
      expect((await adapter.push(event, { scope, ops: [turned] })).results[0]).toMatchObject({ success: true, replayed: true, serverVersion: 1 })
    })

    it('refuses the same id with another content', async () => {
      const adapter = await makeAdapter()
      const op = putOf('a')
      await adapter.push(event, { scope, ops: [op, putOf('b')] })
      const { opId } = op.stamp
      const others = [
        { ...op, payload: messageOf('a', { index: 1 }) }, { ...op, payload: messageOf('a', { data: 'longer'.repeat(100) }) },
        { ...putOf('b'), stamp: op.stamp }, { ...op, tableName: 'threads', payload: payloads.threads('a') }, deleteOf('a', { stamp: op.stamp }),
        { ...op, stamp: { ...op.stamp, clock: 2 } }, { ...op, stamp: { ...op.stamp, hlc: 'x' } }, { ...op, stamp: { ...op.stamp, deviceId: 'device-2' } },
      ]
      for (const other of others) {
        const { results, serverVersion } = await adapter.push(event, { scope, ops: [other] })
        expect(results).toMatchObject([{ opId, success: false, errorCode: 'CONFLICT' }])
        expect(serverVersion).toBe(2)
      }
      expect((await adapter.push(event, { scope, ops: [others[0]!, op] })).results).toMatchObject([{ success: false }, { success: true, serverVersion: 1 }])
    })

    it('takes an id in capital letters for the same id', async () => {
      const adapter = await makeAdapter()
      const op = putOf('a')
      const loud = { ...op, stamp: { ...op.stamp, opId: op.stamp.opId.toUpperCase() } }
      const first = await adapter.push(event, { scope, ops: [op, loud] })
      const again = await adapter.push(event, { scope, ops: [loud] })
      expect(first.results[0]).toMatchObject({ success: true, serverVersion: 1 })
      for (const receipt of [first.results[1], again.results[0]]) {
        expect(receipt).toMatchObject({ opId: loud.stamp.opId, success: true, serverVersion: 1, replayed: true, applied: true })
      }
      const other = { ...loud, payload: messageOf('a', { index: 1 }) }
      expect((await adapter.push(event, { scope, ops: [other] })).results).toMatchObject([{ success: false, errorCode: 'CONFLICT' }])
      const torn = putOf('b')
      const both = [torn, { ...torn, payload: messageOf('b', { index: 1 }), stamp: { ...torn.stamp, opId: torn.stamp.opId.toUpperCase() } }]
      expect((await adapter.push(event, { scope, ops: both })).results).toMatchObject([{ errorCode: 'CONFLICT' }, { errorCode: 'CONFLICT' }])
      // Kept in small letters, whoever came first: two ops of one clock and hlc have the same winner in any order.
      const shout = putOf('c')
      await adapter.push(event, { scope, ops: [{ ...shout, stamp: { ...shout.stamp, opId: shout.stamp.opId.toUpperCase() } }] })
      expect((await pullAll(adapter)).changes.map(change => change.stamp.opId)).toEqual([op.stamp.opId, shout.stamp.opId])
    })

    it('answers a repeat inside a batch twice, and neither of two contents', async () => {
      const adapter = await makeAdapter()
      const same = putOf('a')
      const torn = putOf('b')
      const { results, serverVersion } = await adapter.push(event, { scope, ops: [same, torn, same, { ...torn, payload: messageOf('b', { index: 1 }) }, putOf('c')] })
      expect(results.map(({ success, serverVersion, errorCode }) => [success, serverVersion, errorCode])).toEqual([
        [true, 1, undefined], [false, undefined, 'CONFLICT'], [true, 1, undefined], [false, undefined, 'CONFLICT'], [true, 2, undefined],
      ])
      expect(serverVersion).toBe(2)
    })

    it('knows an op id in its own workspace only', async () => {
      const adapter = await makeAdapter()
      const op = putOf('a')
      const elsewhere = { workspaceId: 'workspace-2' }
      await adapter.push(event, { scope, ops: [putOf('b'), op] })
      const answer = await adapter.push(eventOf('user-2', 'workspace-2'), { scope: elsewhere, ops: [{ ...op, payload: messageOf('a', { index: 9 }) }] })
      expect(answer).toMatchObject({ results: [{ success: true, serverVersion: 1 }], serverVersion: 1 })
    })
  })
}

function describeWinners(makeAdapter: MakeAdapter): void {
  describe('winners', () => {
    const low = '00000000-0000-4000-8000-000000000001'
    const high = '00000000-0000-4000-8000-000000000002'

    it.each([
      ['the higher clock', { clock: 3, hlc: 'a' }, { clock: 2, hlc: 'b' }],
      ['at equal clocks the greater hlc', { clock: 3, hlc: 'b' }, { clock: 3, hlc: 'a' }],
      ['an hlc over its own beginning', { clock: 3, hlc: 'aa' }, { clock: 3, hlc: 'a' }],
      ['an hlc by code points, not by UTF-16', { clock: 3, hlc: '😀' }, { clock: 3, hlc: '\uFFFD' }],
      ['at equal hlcs the greater op id', { clock: 3, hlc: 'a', opId: high }, { clock: 3, hlc: 'a', opId: low }],
    ])('%s wins, in either order, for puts and deletes', async (_, greater, lesser) => {
      for (const [winner, loser] of [[putOf, putOf], [putOf, deleteOf], [deleteOf, putOf], [deleteOf, deleteOf]] as const) {
        for (const turned of [false, true]) {
          const adapter = await makeAdapter()
          const first = winner('a', { stamp: greater })
          const second = loser('a', { stamp: lesser })
          await adapter.push(event, { scope, ops: turned ? [second] : [first] })
          await adapter.push(event, { scope, ops: turned ? [first] : [second] })
          expect((await snapshotAll(adapter)).items).toMatchObject([{ kind: first.operation === 'put' ? 'row' : 'tombstone', pk: 'a', revision: { opId: first.stamp.opId } }])
        }
      }
    })

    it('logs a loser, gives it its version and answers with the winner', async () => {
      const adapter = await makeAdapter()
      const winner = putOf('a', { stamp: { clock: 2 } })
      const loser = putOf('a')
      await adapter.push(event, { scope, ops: [winner] })
      const { results, serverVersion } = await adapter.push(event, { scope, ops: [loser] })
      const { clock, hlc, opId } = winner.stamp
      expect(results).toEqual([{
        opId: loser.stamp.opId, tableName: 'messages', operation: 'put', success: true, serverVersion: 2, applied: false, wasExisting: true,
        payload: winner.payload, winner: { kind: 'put', payload: winner.payload, revision: { clock, hlc, opId } },
      }])
      expect(serverVersion).toBe(2)
      expect((await pullAll(adapter)).changes.at(-1)).toEqual(changeOf(loser, 2))
    })

    it('keeps a tombstone without a row, and lets only a greater put bring one', async () => {
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [deleteOf('a', { stamp: { clock: 5 } })] })
      expect((await adapter.push(event, { scope, ops: [putOf('a', { stamp: { clock: 4 } })] })).results)
        .toMatchObject([{ success: true, applied: false, wasExisting: false, winner: { kind: 'delete', revision: { clock: 5 }, serverDeletedAt: expect.any(Number) } }])
      expect((await adapter.push(event, { scope, ops: [putOf('a', { stamp: { clock: 6 } })] })).results).toMatchObject([{ applied: true }])
      expect((await snapshotAll(adapter)).items).toMatchObject([{ kind: 'row', pk: 'a' }])
    })

    it('has one tombstone for a key, and the same pk in two tables is two keys', async () => {
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [deleteOf('a'), deleteOf('a', { stamp: { clock: 2 } }), deleteOf('a', { stamp: { clock: 3 } }), putOf('a', { tableName: 'threads' })] })
      expect((await snapshotAll(adapter)).items.map(item => [item.tableName, item.kind])).toEqual([['messages', 'tombstone'], ['threads', 'row']])
    })

    it('keeps reference counts to the devices', async () => {
      const adapter = await makeAdapter()
      const op = putOf('sha256:1', { tableName: 'file_meta', payload: payloads.file_meta('sha256:1', { ref_count: 7 }) })
      await adapter.push(event, { scope, ops: [op] })
      expect((await pullAll(adapter)).changes[0]!.payload).toEqual(payloads.file_meta('sha256:1'))
      expect((await adapter.push(event, { scope, ops: [{ ...op, payload: payloads.file_meta('sha256:1', { ref_count: 8 }) }] })).results).toMatchObject([{ replayed: true }])
    })
  })
}

function describeOwners(makeAdapter: MakeAdapter): void {
  describe('notifications', () => {
    const tableName = 'notifications'
    const other = eventOf('user-2')
    const ofOther = (id: string) => putOf(id, { tableName, payload: payloads.notifications(id, { user_id: 'user-2' }) })

    it('are seen by their user alone, deletes among them', async () => {
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('mine', { tableName }), putOf('message')] })
      await adapter.push(other, { scope, ops: [ofOther('theirs')] })
      await adapter.push(event, { scope, ops: [deleteOf('mine', { tableName, stamp: { clock: 2 }, payload: { id: 'mine', deleted: true, deleted_at: 1 } })] })
      const seen = async (as: typeof event) => (await pullAll(adapter, { as })).changes.map(change => `${change.op} ${change.pk}`)
      expect(await seen(event)).toEqual(['put mine', 'put message', 'delete mine'])
      expect(await seen(other)).toEqual(['put message', 'put theirs'])
      expect(await pullAll(adapter, { as: other, tables: [tableName] })).toMatchObject({ changes: [{ pk: 'theirs' }], nextCursor: 4 })
      const kept = async (as: typeof event) => (await snapshotAll(adapter, { as, pageSize: 1 })).items.map(item => `${item.kind} ${item.pk}`)
      expect(await kept(event)).toEqual(['row message', 'tombstone mine'])
      expect(await kept(other)).toEqual(['row message', 'row theirs'])
    })

    it('are changed by their user alone, and a refusal tells nothing of them', async () => {
      const adapter = await makeAdapter()
      await adapter.push(event, { scope, ops: [putOf('mine', { tableName })] })
      const { results } = await adapter.push(other, { scope, ops: [deleteOf('mine', { tableName, stamp: { clock: 9 } }), ofOther('mine'), deleteOf('unknown', { tableName })] })
      expect(results.map(({ success, errorCode, winner, payload }) => [success, errorCode, winner, payload])).toEqual([
        [false, 'UNAUTHORIZED', undefined, undefined], [false, 'UNAUTHORIZED', undefined, undefined], [true, undefined, undefined, undefined],
      ])
    })
  })
}
