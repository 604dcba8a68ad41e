/**
 * T17 and T18: a backup is made while devices push, and put back under devices that know of newer changes; each is told
 * to take a snapshot, also the one that comes when others have pushed for long, and all end with the same rows. No
 * version is given twice. Upholds P10.
 */
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Migration } from '../../server/database/migrate.ts'
import { backUp } from '../../server/operations/backup.ts'
import { restoreBackup } from '../../server/operations/restore.ts'
import type { PushResultItem } from '../../shared/protocol.ts'
import { type Device, liveRows, openDevice, pushOnce, signIn } from './devices.ts'
import type { StartServer } from './process.ts'

export interface RestoreFigures {
  restores: number
  acked: number
  /** Acknowledged before the backup began, and not in it. */
  lost: number
  holes: number
  /** Versions given before a restore and again after it. */
  duplicates: number
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
  /** The control: another way to copy the file of the running server. */
  copy?: (dbPath: string, file: string) => Promise<unknown>
  /** The control: another way to put it back. */
  putBack?: (file: string, dbPath: string) => Promise<unknown>
}

export async function runRestore({ start, dbPath, restores, migrations, ignoreSnapshot, copy, putBack }: RestoreOptions): Promise<RestoreFigures> {
  const figures: RestoreFigures = { restores: 0, acked: 0, lost: 0, holes: 0, duplicates: 0, silent: 0, diverged: 0 }
  const given = new Set<string>()
  /** Where the versions of a workspace may go on after a restore. */
  const skippedTo = new Set<string>()
  let server = await start(dbPath)
  const devices = await signIn(server.url, 4, { ignoreSnapshot })
  const late = devices.at(-1)!
  const push = async (pushing: readonly Device[]) => {
    const acked = []
    for (const device of pushing) {
      const receipts = await pushSome(server.url, device)
      acked.push(...receipts.map(({ opId }) => opId))
      for (const { serverVersion } of receipts) {
        const version = `${device.workspaceId} ${serverVersion}`
        if (given.has(version)) figures.duplicates++
        given.add(version)
      }
    }
    figures.acked += acked.length
    return acked
  }
  const back = async (device: Device) => {
    const { snapshot } = await device.sync(server.url)
    if (!snapshot) figures.silent++
  }
  while (figures.restores < restores) {
    const safe = await push(devices)
    const file = await copyUnderLoad()
    figures.lost += countMissing(file, safe)
    figures.holes += countHoles(file, skippedTo)
    for (let turn = 0; turn < 3; turn++) await push(devices)
    for (const device of devices) await device.sync(server.url)

    await server.stop()
    if (putBack) await putBack(file, dbPath)
    else await restoreBackup({ from: file, to: dbPath, migrations })
    for (const { workspace_id, head } of readAll(dbPath, 'select workspace_id, head from logs')) skippedTo.add(`${workspace_id} ${head}`)
    server = await start(dbPath)
    figures.restores++
    const first = devices.filter(device => device !== late)
    for (const device of first) await back(device)
    // By the length of the log the late one might have been there all the time.
    for (let turn = 0; turn < 10; turn++) await push(first)
    await back(late)
    await push(devices)
    for (const device of devices) await device.sync(server.url)
    for (const device of devices) {
      const fresh = await openDevice(device)
      await fresh.sync(server.url)
      if (liveRows(device) !== liveRows(fresh)) figures.diverged++
    }
  }
  await server.stop()
  return figures

  async function copyUnderLoad(): Promise<string> {
    let over = false
    const folder = join(dirname(dbPath), 'backups')
    const own = join(dirname(dbPath), `copy-${figures.restores}.db`)
    const copying = copy ? copy(dbPath, own).then(() => own) : backUp({ path: dbPath }).then(({ name }) => join(folder, name))
    const copied = copying.finally(() => over = true)
    do await push(devices)
    while (!over)
    return copied
  }
}

/** What was accepted. */
async function pushSome(url: string, device: Device): Promise<PushResultItem[]> {
  const accepted: PushResultItem[] = []
  const witness = {
    sent() {},
    told: (_workspaceId: string, receipts: readonly PushResultItem[]) => void accepted.push(...receipts.filter(({ success }) => success)),
  }
  await pushOnce(url, device, witness, 6)
  return accepted
}

function countMissing(file: string, opIds: readonly string[]): number {
  const stored = new Set(readAll(file, 'select op_id from changes').map(row => row['op_id']))
  return opIds.filter(opId => !stored.has(opId)).length
}

/** Each change follows the one before it, or the version that a restore went on from. */
function countHoles(file: string, skippedTo: ReadonlySet<string>): number {
  const next = new Map<string, number>()
  let holes = 0
  for (const row of readAll(file, 'select workspace_id, server_version from changes left join logs on id = log_id order by log_id, server_version')) {
    const id = String(row['workspace_id'])
    const version = Number(row['server_version'])
    if (version !== (next.get(id) ?? 1) && !skippedTo.has(`${id} ${version - 1}`)) holes++
    next.set(id, version + 1)
  }
  for (const { workspace_id, head } of readAll(file, 'select workspace_id, head from logs')) {
    if (next.get(String(workspace_id)) !== Number(head) + 1) holes++
  }
  return holes
}

function readAll(file: string, sql: string) {
  const database = new DatabaseSync(file, { readOnly: true })
  const rows = database.prepare(sql).all()
  database.close()
  return rows
}
