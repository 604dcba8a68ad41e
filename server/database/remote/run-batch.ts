/** A batch of the Hrana protocol: statements that are one request, each run only where the one before it succeeded. */
import { type Batch, BatchCond, type BatchStep, type RowsResult, type Stream } from '@libsql/hrana-client'
import { LibsqlError, type InStatement, type InValue, type ResultSet } from '@libsql/core/api'
import { ResultSetImpl } from '@libsql/core/util'

export interface BatchOptions {
  /** Runs the statements in one write transaction that is committed where all of them succeed, else undone. */
  inTransaction?: boolean
  /** Runs nothing where the session is in no transaction: the server ends one that takes too long. */
  onlyInTransaction?: boolean
  /** Ends the session within the same request. */
  isLast?: boolean
}

/** The write lock comes with it. */
export const beginToWrite = 'BEGIN IMMEDIATE'

/** One request. The last step undoes what was begun where any step failed; its own outcome does not matter. */
export async function runBatch(
  stream: Stream, statements: readonly InStatement[], options: BatchOptions,
): Promise<ResultSet[]> {
  const { inTransaction = false, onlyInTransaction = false, isLast = false } = options
  const batch = stream.batch(false)
  const steps: Promise<RowsResult | undefined>[] = []
  let last: BatchStep | undefined
  const add = (statement: InStatement) => {
    const step = batch.step()
    if (last) step.condition(BatchCond.ok(last))
    else if (onlyInTransaction) step.condition(BatchCond.not(BatchCond.isAutocommit(batch)))
    last = step
    const answer = step.query(toHranaStatement(statement))
    // It is awaited below, after the request as a whole.
    answer.catch(() => {})
    steps.push(answer)
  }
  for (const statement of statements) add(statement)
  if (inTransaction) {
    add('COMMIT')
    rollBackUnless(batch, last!)
  }
  const executed = batch.execute()
  if (isLast) stream.closeGracefully()
  await executed
  const results: ResultSet[] = []
  for (const step of steps) {
    const rows = await step
    if (!rows) throw new LibsqlError('The transaction has been rolled back', 'TRANSACTION_CLOSED')
    results.push(toResultSet(rows))
  }
  return inTransaction ? results.slice(0, -1) : results
}

function rollBackUnless(batch: Batch, committed: BatchStep) {
  batch.step().condition(BatchCond.not(BatchCond.ok(committed))).run('ROLLBACK').catch(() => {})
}

type HranaValue = null | string | number | bigint | ArrayBuffer | boolean | Uint8Array | Date

function toHranaStatement(statement: InStatement): string | [string, HranaValue[] | Record<string, HranaValue>] {
  if (typeof statement === 'string') return statement
  const { sql, args = [] } = statement
  return [sql, Array.isArray(args)
    ? args.map(toHranaValue)
    : Object.fromEntries(Object.entries(args).map(([name, value]) => [name, toHranaValue(value)]))]
}

/** A number would be sent as a float, which `json_array(?)` shows. */
function toHranaValue(value: InValue): HranaValue {
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value
}

function toResultSet({ columnNames, columnDecltypes, rows, affectedRowCount, lastInsertRowid }: RowsResult): ResultSet {
  const names = columnNames.map(name => name ?? '')
  return new ResultSetImpl(names, columnDecltypes.map(type => type ?? ''), rows, affectedRowCount, lastInsertRowid)
}
