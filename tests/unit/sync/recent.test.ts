/**
 * A batch that comes again is answered from memory, as the log would answer it, and only where nothing has changed.
 * Seen red: obsolete ops answered; the payload, the owner, the workspace or any other part of an op not compared;
 * nothing ever forgotten.
 */
import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import { createSyncGatewayAdapter } from '../../../server/sync/gateway/adapter.ts'
import type { PendingOp } from '../../../server/sync/gateway/types.ts'
import { maxRecentOps } from '../../../server/sync/limits.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { recordStatements } from '../../helpers/query-plans.ts'
import { deleteOf, event, eventOf, messageOf, putOf, scope, startClock } from '../../helpers/sync.ts'

async function makeAdapters() {
  const file = await openTestDatabase()
  const recorded = recordStatements(file)
  const adapter = createSyncGatewayAdapter(async () => recorded)
  // Another object knows nothing of what came before: it asks the log.
  const fromLog = (ops: readonly PendingOp[], as = event) => createSyncGatewayAdapter(async () => ({ ...file })).push(as, { scope, ops: [...ops] })
  return { adapter, fromLog, asked: async () => (await recorded.takePlans()).length > 0 }
}

const rows = () => [putOf('a'), putOf('b', { tableName: 'threads' }), deleteOf('c'), putOf('n', { tableName: 'notifications' })]

it('answers repeated batches, the last in part, as the log does, without asking it', async () => {
  const { adapter, fromLog, asked } = await makeAdapters()
  const ops = [...rows(), putOf('a-2')]
  const next = rows().map(op => ({ ...op, pk: `${op.pk}-next`, payload: undefined, operation: 'delete' as const }))
  await adapter.push(event, { scope, ops })
  await adapter.push(event, { scope, ops: next })
  await adapter.push(event, { scope, ops: [putOf('later')] })
  await asked()
  for (const repeat of [ops, ops.slice(0, 4), [...ops, ...next], [...next, ...next, ...ops.slice(0, 2)]]) {
    const answer = await adapter.push(event, { scope, ops: repeat })
    expect(await asked()).toBe(false)
    expect(answer).toEqual(await fromLog(repeat))
    expect(answer.results.every(result => result.success && result.replayed && result.applied)).toBe(true)
  }
})

it('asks the log where a repeat is no longer the winner, or never was', async () => {
  const { adapter, fromLog, asked } = await makeAdapters()
  const [first, winner, loser] = [putOf('a'), putOf('a', { stamp: { clock: 3 } }), putOf('a', { stamp: { clock: 2 } })]
  const beaten = [first, ...rows().slice(1)]
  const lost = [loser, ...rows().slice(1).map(op => ({ ...op, pk: `${op.pk}-2`, payload: undefined, operation: 'delete' as const }))]
  await adapter.push(event, { scope, ops: beaten })
  await adapter.push(event, { scope, ops: [winner] })
  await adapter.push(event, { scope, ops: lost })
  for (const ops of [beaten, lost]) {
    await asked()
    const answer = await adapter.push(event, { scope, ops })
    expect(await asked()).toBe(true)
    expect(answer).toEqual(await fromLog(ops))
    expect(answer.results[0]).toMatchObject({ success: true, replayed: true, applied: false, winner: { revision: { clock: 3 } } })
  }
})

it('tells another content, and another user, from a repeat', async () => {
  const { adapter, fromLog } = await makeAdapters()
  const ops = rows()
  await adapter.push(event, { scope, ops })
  const put = ops[0]!
  const changed = [
    { ...put, payload: messageOf('a', { data: { content: 'other' } }) },
    { ...put, pk: 'b', payload: messageOf('b') },
    { ...put, operation: 'delete' as const, payload: undefined },
    ...[{ clock: 2 }, { hlc: '0mk3n1abc:001:device01' }, { deviceId: 'device-2' }].map(stamp => ({ ...put, stamp: { ...put.stamp, ...stamp } })),
    ...[{ payload: { id: 'c', deleted: true } }, { pk: 'd' }, { tableName: 'threads' }].map(change => ({ ...ops[2]!, ...change })),
  ]
  for (const op of changed) {
    const batch = ops.map(known => known.stamp.opId === op.stamp.opId ? op : known)
    const answer = await adapter.push(event, { scope, ops: batch })
    expect(answer.results[batch.indexOf(op)]).toMatchObject({ success: false, errorCode: 'CONFLICT' })
    expect(answer).toEqual(await fromLog(batch))
  }
  const sameAsAnother = { ...ops[2]!, stamp: { ...ops[2]!.stamp, opId: randomUUID() } }
  expect((await adapter.push(event, { scope, ops: ops.with(2, sameAsAnother) })).results[2]).toMatchObject({ success: true, serverVersion: 5, wasExisting: false })
  const another = eventOf('user-2')
  expect((await adapter.push(another, { scope, ops })).results[3]).toMatchObject({ success: false, errorCode: 'UNAUTHORIZED' })
  const sameInAnotherOrder = { ...put, payload: Object.fromEntries(Object.entries(put.payload as object).toReversed()) }
  expect((await adapter.push(event, { scope, ops: [sameInAnotherOrder, ...ops.slice(1)] })).results[0]).toMatchObject({ success: true, replayed: true, serverVersion: 1 })
})

it('knows an op id in its own workspace only', async () => {
  const { adapter } = await makeAdapters()
  const ops = rows()
  await adapter.push(event, { scope, ops })
  await adapter.push(event, { scope, ops: [putOf('later')] })
  const elsewhere = await adapter.push(eventOf('user-1', 'workspace-2'), { scope: { workspaceId: 'workspace-2' }, ops })
  expect(elsewhere).toMatchObject({ serverVersion: 4, results: ops.map((_, index) => ({ success: true, serverVersion: index + 1, wasExisting: false })) })
  expect(await adapter.push(event, { scope, ops })).toMatchObject({ serverVersion: 5, results: ops.map((_, index) => ({ replayed: true, serverVersion: index + 1 })) })
})

it('refuses a known op id with a payload too deep for any parser', async () => {
  const { adapter } = await makeAdapters()
  const [put, ...others] = rows() as [PendingOp, ...PendingOp[]]
  await adapter.push(event, { scope, ops: [put, ...others] })
  let deep: unknown = null
  for (let level = 0; level < 100_000; level++) deep = [deep]
  const { results } = await adapter.push(event, { scope, ops: [{ ...put, payload: messageOf('a', { data: deep }) }, ...others] })
  expect(results[0]).toMatchObject({ success: false, errorCode: 'VALIDATION_ERROR' })
})

it('forgets the oldest ops first', async () => {
  const { adapter, asked } = await makeAdapters()
  const size = 1_000
  const first = Array.from({ length: size }, (_, index) => deleteOf(`first-${index}`))
  await adapter.push(event, { scope, ops: first })
  for (let pushed = size; pushed + size <= maxRecentOps; pushed += size) {
    await adapter.push(event, { scope, ops: Array.from({ length: size }, (_, index) => deleteOf(`${pushed}-${index}`)) })
  }
  await asked()
  await adapter.push(event, { scope, ops: first })
  expect(await asked()).toBe(false)
  const last = Array.from({ length: size }, (_, index) => deleteOf(`last-${index}`))
  await adapter.push(event, { scope, ops: last })
  await asked()
  const answer = await adapter.push(event, { scope, ops: first })
  expect(await asked()).toBe(true)
  expect(answer.results.every(result => result.replayed && result.applied)).toBe(true)
  await adapter.push(event, { scope, ops: last })
  expect(await asked()).toBe(false)
})

// Seen red with no bound.
it('forgets all once it knows too many for obsolete', async () => {
  const database = await openTestDatabase()
  const adapter = createSyncGatewayAdapter(async () => database)
  const pks = Array.from({ length: 1_000 }, (_, index) => `row-${index}`)
  let asked = 0
  for (let clock = 1; clock <= 4 * maxRecentOps / pks.length + 2; clock++) {
    const ops = pks.map(pk => deleteOf(pk, { stamp: { clock } }))
    await adapter.push(event, { scope, ops })
    const { jobs } = database.activity
    const answer = await adapter.push(event, { scope, ops })
    expect(answer.results.every(result => result.replayed && result.applied)).toBe(true)
    asked += database.activity.jobs - jobs
  }
  expect(asked).toBe(1)
})

it('keeps what came after a clean-up when what came before it is forgotten', async () => {
  const clock = startClock()
  const { adapter, asked } = await makeAdapters()
  const another = eventOf('user-1', 'workspace-2')
  const fill = (count: number) => adapter.push(another, { scope: { workspaceId: 'workspace-2' }, ops: Array.from({ length: count }, () => deleteOf(randomUUID())) })
  await adapter.push(event, { scope, ops: rows() })
  clock.advance(3_601)
  expect(await adapter.gcTombstones(event, { scope, retentionSeconds: 3_600 })).toMatchObject({ droppedTombstones: 1 })
  const fresh = rows().map(op => ({ ...op, stamp: { ...op.stamp, clock: 2 } }))
  await adapter.push(event, { scope, ops: fresh })
  let kept = 8
  for (; kept + 1_000 <= maxRecentOps; kept += 1_000) await fill(1_000)
  // Four too many: the first four go.
  await fill(maxRecentOps - kept + 4)
  await asked()
  await adapter.push(event, { scope, ops: fresh })
  expect(await asked()).toBe(false)
})
