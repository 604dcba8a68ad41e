/**
 * T17 and T18: a backup is made while devices push, and put back under devices that know of newer changes; each is told
 * to take a snapshot, and all end with the same rows. Upholds P10.
 */
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Migration } from '../../server/db/migrate.ts'
import { backUp } from '../../server/ops/backup.ts'
import { restoreBackup } from '../../server/ops/restore.ts'
import { call, makeOp, signIn } from './devices.ts'
import type { StartServer } from './process.ts'
import { applyOwn, catchUp, createReplica, liveRows, type Replica, takeSnapshot } from './replica.ts'

export interface RestoreFigures {
  restores: number
  acked: number
  /** Acknowledged before the backup began, and not in it. */
  lost: number
  holes: number
  /** Devices that went on in silence with a cursor of a time that the server forgot. */
  silent: number
  /** Devices whose rows are not the server's in the end. */
  diverged: number
}

export interface RestoreOptions {
  start: StartServer
  dbPath: string
  restores: number
  migrations: readonly Migration[]
  /** The control: devices that do not do what they are told. */
  ignoreSnapshot?: boolean
}

export async function runRestore({ start, dbPath, restores, migrations, ignoreSnapshot }: RestoreOptions): Promise<RestoreFigures> {
  const figures: RestoreFigures = { restores: 0, acked: 0, lost: 0, holes: 0, silent: 0, diverged: 0 }
  let server = await start(dbPath)
  const replicas = (await signIn(server.url, 4)).map(createReplica)
  const pushAll = async () => {
    const acked = []
    for (const replica of replicas) acked.push(...await pushSome(server.url, replica))
    figures.acked += acked.length
    return acked
  }
  while (figures.restores < restores) {
    const safe = await pushAll()
    let over = false
    const backup = backUp({ path: dbPath }).finally(() => over = true)
    do await pushAll()
    while (!over)
    const file = join(dirname(dbPath), 'backups', (await backup).name)
    figures.lost += countMissing(file, safe)
    figures.holes += countHoles(file)
    // So much is newer than the backup that no push after the restore brings the head past a cursor.
    for (let turn = 0; turn < 5; turn++) await pushAll()
    for (const replica of replicas) await catchUp(server.url, replica)

    await server.stop()
    await restoreBackup({ from: file, to: dbPath, migrations })
    server = await start(dbPath)
    figures.restores++
    for (const replica of replicas) {
      if (!await catchUp(server.url, replica, { ignoreSnapshot })) figures.silent++
    }
    await pushAll()
    for (const replica of replicas) await catchUp(server.url, replica, { ignoreSnapshot })
    for (const replica of replicas) {
      const fresh = createReplica(replica)
      await takeSnapshot(server.url, fresh)
      if (liveRows(replica) !== liveRows(fresh)) figures.diverged++
    }
  }
  await server.stop()
  return figures
}

async function pushSome(url: string, replica: Replica): Promise<string[]> {
  const ops = Array.from({ length: 6 }, () => makeOp(replica))
  for (const op of ops) applyOwn(replica, op)
  await call(url, replica.user, '/api/sync/push', { scope: { workspaceId: replica.workspaceId }, ops })
  return ops.map(op => op.stamp.opId)
}

function countMissing(file: string, opIds: readonly string[]): number {
  const stored = new Set(readAll(file, 'select op_id from changes').map(row => row.op_id))
  return opIds.filter(opId => !stored.has(opId)).length
}

function countHoles(file: string): number {
  return readAll(file, `select 1 from heads h where head is not (select count(*) from changes c where c.workspace_id = h.workspace_id)`).length
}

function readAll(file: string, sql: string) {
  const database = new DatabaseSync(file, { readOnly: true })
  const rows = database.prepare(sql).all()
  database.close()
  return rows
}
