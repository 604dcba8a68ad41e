/**
 * Every hot statement finds its rows by an index and takes its order from one, whatever size a table has.
 * Seen red: `(r.table_name || '', r.pk) > …` and `+r.pk` in the snapshot, `+server_version` in the pull's order, and
 * the index `changes_table` left out.
 */
import { expect, it } from 'vitest'
import { openTestDatabase } from '../../helpers/database.ts'
import { type Plan, recordStatements } from '../../helpers/query-plans.ts'
import { deleteOf, event, putOf, scope, startClock, tableNames } from '../../helpers/sync.ts'
import { adapterOf } from '../../helpers/engine.ts'

async function makeRecordedAdapter() {
  const database = recordStatements(await openTestDatabase())
  return { adapter: adapterOf(database), takePlans: database.takePlans }
}

/** What is read by a table function or made by a subquery is as large as the request, not as the database. */
function findScans(plans: readonly Plan[]): string[] {
  return plans.flatMap(({ statement, steps }) => steps
    .filter(step => /^SCAN (?!.*VIRTUAL TABLE)(?!(?:\d+ )?CONSTANT ROW)(?!\(subquery)(?!page$|picked$|chain$|fitting$|wanted$|found$|sizes$)/.test(step))
    .map(step => `${step} in ${statement}`))
}

function findSorts(plans: readonly Plan[]): string[] {
  return plans.filter(({ steps }) => steps.some(step => step.includes('TEMP B-TREE'))).map(plan => plan.statement)
}

/** The different steps with this text: a statement looks at the sizes of its rows before it reads them. */
function kindsOf(plans: readonly Plan[], text: string): string[] {
  return [...new Set(plans.flatMap(({ steps }) => steps.filter(step => step.includes(text))))]
}

/** Steps that sort, how many. A pull has one for the greatest changes of its page, taken only where one supersedes another. */
function countSorts([plan]: readonly Plan[]): number {
  return plan!.steps.filter(step => step.includes('TEMP B-TREE')).length
}

it('pushes without a scan or a sort, in three or four statements of any size, and in few more where not all is new', async () => {
  const { adapter, takePlans } = await makeRecordedAdapter()
  await adapter.push(event, { scope, ops: [putOf('first')] })
  // One more begins the log, and one reads what its quota has left; that is known for half a minute then.
  expect(await takePlans()).toHaveLength(6)
  for (const count of [1, 10, 500]) {
    const rows = Array.from({ length: count }, (_, index) => putOf(`${count}-${index}`, { stamp: { clock: 2 } }))
    await adapter.push(event, { scope, ops: rows })
    const plain = await takePlans()
    expect(plain).toHaveLength(4)
    expect([findScans(plain), findSorts(plain)]).toEqual([[], []])

    const losers = rows.map(({ pk }) => putOf(pk, { stamp: { clock: 1 } }))
    await adapter.push(event, { scope, ops: [...rows.slice(0, 100), ...losers.slice(0, 300), deleteOf(`${count}-gone`, { stamp: { clock: 2 } }), putOf(`${count}-new`)] })
    const mixed = await takePlans()
    expect(mixed).toHaveLength(11)
    expect(findScans(mixed)).toEqual([])
    // The winners' payloads are summed in the order of the request.
    expect(findSorts(mixed).filter(statement => !statement.includes('2 * octet_length(c.payload)'))).toEqual([])

    // First clocks, and one of them has a tombstone already.
    const first = Array.from({ length: count }, (_, index) => putOf(`${count}-${index}-first`))
    await adapter.push(event, { scope, ops: [...first, putOf(`${count}-gone`)] })
    const beaten = await takePlans()
    expect(beaten).toHaveLength(12)
    expect(findScans(beaten)).toEqual([])

    await adapter.push(event, { scope, ops: Array.from({ length: count }, (_, index) => putOf(`${count}-${index}-new`)) })
    const fresh = await takePlans()
    expect(fresh).toHaveLength(3)
    expect([findScans(fresh), findSorts(fresh)]).toEqual([[], []])
  }
})

it('pulls by an index in its order, and with a filter sorts only the versions it picked', async () => {
  const { adapter, takePlans } = await makeRecordedAdapter()
  await adapter.push(event, { scope, ops: [putOf('a'), putOf('b')] })
  await takePlans()
  for (const tables of [undefined, tableNames]) {
    await adapter.pull(event, { scope, cursor: 1, tables })
    const plans = await takePlans()
    expect(plans).toHaveLength(1)
    expect(kindsOf(plans, 'changes')).toEqual([
      expect.stringContaining('(log_id=? AND server_version>?)'),
      expect.stringContaining('(log_id=? AND server_version>? AND server_version<?)'),
    ])
    expect([findScans(plans), countSorts(plans)]).toEqual([[], 1])
  }
  await adapter.pull(event, { scope, cursor: 1, tables: ['kv', 'posts'] })
  const filtered = await takePlans()
  expect(findScans(filtered)).toEqual([])
  expect(kindsOf(filtered, 'changes_table')).toHaveLength(3)
  expect(kindsOf(filtered, 'TEMP B-TREE')).toEqual(['USE TEMP B-TREE FOR ORDER BY'])
})

it('finds what a page supersedes by the same indexes, in the same statement', async () => {
  const { adapter, takePlans } = await makeRecordedAdapter()
  await adapter.push(event, { scope, ops: [putOf('a'), putOf('a', { stamp: { clock: 2 } })] })
  for (const [tables, bounds] of [
    [undefined, 'server_version>? AND server_version<?'],
    [tableNames, 'server_version>? AND server_version<?'],
    [['messages'], 'table_name=? AND server_version>? AND server_version<?'],
    [['messages', 'kv'], 'table_name=? AND server_version>? AND server_version<?'],
  ] as const) {
    await takePlans()
    await adapter.pull(event, { scope, cursor: 0, ...tables && { tables: [...tables] } })
    const plans = await takePlans()
    expect(plans).toHaveLength(1)
    expect(findScans(plans)).toEqual([])
    expect(kindsOf(plans, 'SEARCH changes')).toContainEqual(expect.stringContaining(`(log_id=? AND ${bounds})`))
    await adapter.pull(event, { scope, cursor: 1, ...tables && { tables: [...tables] } })
    expect(await takePlans()).toHaveLength(1)
  }
})

it('pages and rewinds a snapshot by keys', async () => {
  const { adapter, takePlans } = await makeRecordedAdapter()
  await adapter.push(event, { scope, ops: ['a', 'b', 'c'].map(pk => putOf(pk)) })
  let clock = 1
  for (const [tables, bounds] of [[undefined, '(table_name,pk)>(?,?)'], [['kv', 'messages'], 'table_name=? AND pk>?']] as const) {
    clock++
    const request = { scope, pageSize: 1, tables: tables && [...tables] }
    const { nextPageToken } = await adapter.snapshot(event, request)
    await adapter.push(event, { scope, ops: ['a', 'b', 'c'].map(pk => putOf(pk, { stamp: { clock } })) })
    await takePlans()
    await adapter.snapshot(event, { ...request, pageToken: nextPageToken! })
    const plans = await takePlans()
    expect(plans.filter(plan => plan.statement.includes('recursive'))).toHaveLength(1)
    expect(kindsOf(plans, 'SEARCH r ')).toEqual([expect.stringContaining(`(log_id=? AND ${bounds})`)])
    expect([findScans(plans), findSorts(plans)]).toEqual([[], []])
  }
})

it('cleans up and moves cursors without a scan or a sort', async () => {
  const clock = startClock()
  const { adapter, takePlans } = await makeRecordedAdapter()
  await adapter.push(event, { scope, ops: [putOf('a'), putOf('a', { stamp: { clock: 2 } }), deleteOf('b')] })
  clock.advance(3601)
  await takePlans()
  await adapter.updateCursor(event, { scope, deviceId: 'device-1', version: 3 })
  expect(await adapter.gcTombstones(event, { scope, retentionSeconds: 3600 })).toMatchObject({ droppedChanges: 1, droppedTombstones: 1 })
  const plans = await takePlans()
  expect(plans.some(plan => plan.steps.some(step => step.includes('records_tombstone')))).toBe(true)
  expect(plans.some(plan => plan.steps.some(step => step.includes('device_cursors_slowest')))).toBe(true)
  // A new device of a user sorts that user's others, a hundred at most.
  const ofMany = plans.filter(plan => !plan.statement.includes('order by updated_at desc'))
  expect([findScans(ofMany), findSorts(ofMany)]).toEqual([[], []])

  // Behind a horizon a push also asks which of its devices are; the first finds the log's end not where it was.
  for (const [pk, statements] of [['c', 6], ['d', 4]] as const) {
    await adapter.push(event, { scope, ops: [putOf(pk), putOf(`${pk}-2`)] })
    const behind = await takePlans()
    expect(behind).toHaveLength(statements)
    expect([findScans(behind), findSorts(behind)]).toEqual([[], []])
  }
})

it('reads one row of a counter and one range of the log for an idle poll', async () => {
  const { adapter, takePlans } = await makeRecordedAdapter()
  await adapter.push(event, { scope, ops: [putOf('a')] })
  await takePlans()
  await adapter.pull(event, { scope, cursor: 1 })
  const plans = await takePlans()
  expect(plans).toHaveLength(1)
  expect([findScans(plans), countSorts(plans)]).toEqual([[], 1])
})
