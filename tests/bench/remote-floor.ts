/**
 * The least that pushes take on a database server: the same rows of the same schema, written by the driver alone, one batch
 * under way with all that wait. It validates nothing, looks nothing up and counts the versions itself: a floor, not a rival.
 */
import { BatchCond, type BatchStep, openWs } from '@libsql/hrana-client'
import type { PendingOp } from '../../shared/protocol.ts'

export interface RemoteFloor {
  /** Resolves after the commit. */
  push(ops: readonly PendingOp[]): Promise<void>
  close(): void
}

const insertChanges = `insert into changes (log_id, server_version, table_name, pk, op, clock, hlc, device_id, op_id, created_at, payload)
  select ?2, ?3 + key, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, unixepoch(), value ->> 7
  from json_each(?1)`
const insertRecords = `insert into records (log_id, table_name, pk, server_version) select ?2, value ->> 0, value ->> 1, ?3 + key from json_each(?1)`
const moveHead = 'update logs set head = ? where id = ?'

/** Opens one stream by `ws:`. The log of `workspaceId` must be there, and nobody else may write to it. */
export async function openRemoteFloor(url: string, workspaceId: string): Promise<RemoteFloor> {
  const client = openWs(url, undefined, 3)
  await client.getVersion()
  const stream = client.openStream()
  const { row } = await stream.queryRow(['select id, head from logs where workspace_id = ?', [workspaceId]])
  const logId = BigInt(row![0] as number)
  let head = Number(row![1])
  const waiting: { ops: readonly PendingOp[], resolve: () => void, reject: (error: unknown) => void }[] = []
  let isRunning = false

  async function write(ops: readonly PendingOp[]) {
    const batch = stream.batch(false)
    let last: BatchStep | undefined
    const add = (sql: string, args: (string | bigint)[] = []) => {
      const step = batch.step()
      if (last) step.condition(BatchCond.ok(last))
      last = step
      return step.run([sql, args])
    }
    const stamps = ops.map(({ tableName, pk, operation, stamp, payload }) =>
      [tableName, pk, operation, stamp.clock, stamp.hlc, stamp.deviceId, stamp.opId, JSON.stringify(payload)])
    const keys = ops.map(({ tableName, pk }) => [tableName, pk])
    const first = BigInt(head + 1)
    const steps = [
      add('BEGIN IMMEDIATE'),
      add(insertChanges, [JSON.stringify(stamps), logId, first]),
      add(insertRecords, [JSON.stringify(keys), logId, first]),
      add(moveHead, [BigInt(head + ops.length), logId]),
      add('COMMIT'),
    ]
    await batch.execute()
    await Promise.all(steps)
    head += ops.length
  }

  async function run() {
    isRunning = true
    await new Promise(setImmediate)
    while (waiting.length > 0) {
      const group = waiting.splice(0, 128)
      await write(group.flatMap(one => one.ops)).then(
        () => group.forEach(one => one.resolve()), error => group.forEach(one => one.reject(error)))
      if (waiting.length === 0) await new Promise(setImmediate)
    }
    isRunning = false
  }

  return {
    push: ops => new Promise((resolve, reject) => {
      waiting.push({ ops, resolve, reject })
      if (!isRunning) void run()
    }),
    close: () => client.close(),
  }
}
