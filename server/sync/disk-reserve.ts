/**
 * Keeps some of the database's disk free: where less is left, puts are refused; deletes, sessions and clean-up go on.
 * Upholds P9 and P15.
 */
import { statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readSyncSettings } from '../config/sync.ts'
import type { SyncDatabase } from '../database/types.ts'
import { countLimited } from '../lib/limited.ts'

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
  async function look(folder: string) {
    readAt = performance.now()
    free = await statfs(folder).then(({ bavail, bsize }) => bavail * bsize, () => Infinity)
  }
  function isShort() {
    const short = free < readSyncSettings().diskReserveBytes
    if (short) countLimited('disk-reserve')
    return short
  }
  return {
    isShort() {
      if (local === null) return false
      if (performance.now() - readAt < freshMs) return isShort()
      const looking = look(dirname(local.path))
      // The first answer is waited for; later ones are of a second ago.
      return free === Infinity ? looking.then(isShort) : isShort()
    },
  }
}
