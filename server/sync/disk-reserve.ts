/**
 * Keeps some of the database's disk free: where less is left, puts are refused; deletes, sessions and clean-up go on.
 * Each turn is logged once. Upholds P9, P14 and P15.
 */
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { consola } from 'consola'
import { readSyncSettings } from '../config/sync.ts'
import type { SyncDatabase } from '../database/types.ts'
import { mayLog } from '../lib/log-budget.ts'

export interface DiskReserve {
  /** True where the disk has less left than its reserve, as of about a second ago. */
  isShort(): Promise<boolean> | boolean
}

/** A second at the fastest writes 50 MB: less than the reserve. */
const freshMs = 1_000

/** Makes the watch of one engine's disk; without a file there is none to watch. */
export function createDiskReserve({ local }: SyncDatabase): DiskReserve {
  let free = Infinity
  let readAt = -Infinity
  let isTold = false
  async function look(folder: string) {
    readAt = performance.now()
    free = await statfs(folder).then(({ bavail, bsize }) => bavail * bsize, () => Infinity)
    tell()
  }
  const isShort = () => free < readSyncSettings().diskReserveBytes
  function tell() {
    if (isShort() === isTold || !mayLog()) return
    isTold = isShort()
    const log = consola.withTag('or3-sync')
    if (!isTold) return log.info('The disk of the database has its reserve again: puts are taken.')
    log.error(`The disk of the database has ${free} bytes left, less than its reserve (diskReserveBytes): puts are `
      + 'refused with DATABASE_FULL, deletes are taken.')
  }
  return {
    isShort() {
      if (local === null) return false
      if (performance.now() - readAt < freshMs) return isShort()
      const looking = look(dirname(local.path))
      // Where there was room the look goes on beside the push. Nothing is refused by an answer that has grown old.
      return free === Infinity || isShort() ? looking.then(isShort) : false
    },
  }
}
