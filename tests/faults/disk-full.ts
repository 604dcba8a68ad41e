/**
 * T8: the disk fills up and gets room again, many times. A small disk of its own where this user may mount one, else a
 * page limit, which the database meets in the same places. Upholds P9.
 */
import { execFileSync } from 'node:child_process'
import { appendFile, mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A folder whose disk can be filled. */
export interface SmallDisk {
  folder: string
  /** True where it is a disk, not a limit. */
  mounted: boolean
  /** Leaves room for about `bytes`, where there is more. */
  fill(bytes: number): Promise<void>
  empty(): Promise<void>
  remove(): Promise<void>
}

const diskBytes = 48 * 2 ** 20

/** As many small ones as a log of the whole disk has room for. */
const maxWrites = 10_000

/** `limitPages` sets SQLite's page limit; undefined takes it away. */
export async function makeSmallDisk(limitPages: (extra: number | undefined) => Promise<unknown>): Promise<SmallDisk> {
  const folder = await mkdtemp(join(tmpdir(), 'or3-layer-disk-'))
  const ballast = join(folder, 'ballast')
  const mounted = tryMount(folder)
  return {
    folder, mounted,
    async fill(bytes) {
      if (!mounted) return void await limitPages(Math.ceil(bytes / 4096))
      const { bavail, bsize } = await statfs(folder)
      await appendFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - bytes))).catch((error) => {
        // The database may have taken some of it meanwhile.
        if (error.code !== 'ENOSPC') throw error
      })
    },
    async empty() {
      if (mounted) await rm(ballast, { force: true })
      else await limitPages(undefined)
    },
    async remove() {
      // Lazily: the driver keeps a closed database's file until the next garbage collection.
      if (mounted) execFileSync('umount', ['--lazy', folder])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function tryMount(folder: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskBytes}`, 'tmpfs', folder], { stdio: 'ignore' })
    return true
  }
  catch {
    return false
  }
}

export interface DiskFullOptions {
  disk: SmallDisk
  cycles: number
  /** Writes a row of about `bytes` bytes. */
  write: (id: string, bytes: number) => Promise<unknown>
  /** All ids, through the open database. */
  readIds: () => Promise<readonly string[]>
  deleteAll: () => Promise<unknown>
  isRefusal: (error: unknown) => boolean
  /** Whether the server says that it can write. */
  isHealthy: () => Promise<boolean>
}

export interface DiskFullFigures {
  mounted: boolean
  acked: number
  lost: number
  refused: number
  ghosts: number
  failures: string[]
  /** Writes that were still refused after there was room again. */
  stuck: number
  /** How often the health called a full disk writable, or one with room not. */
  wrongHealth: number
}

export async function runDiskFull({ disk, cycles, write, readIds, deleteAll, isRefusal, isHealthy }: DiskFullOptions): Promise<DiskFullFigures> {
  const figures: DiskFullFigures = { mounted: disk.mounted, acked: 0, lost: 0, refused: 0, ghosts: 0, failures: [], stuck: 0, wrongHealth: 0 }
  for (let cycle = 0; cycle < cycles; cycle++) {
    const acked: string[] = []
    const refused: string[] = []
    const attempt = async (id: string, bytes: number) => {
      try {
        await write(id, bytes)
        acked.push(id)
      }
      catch (error) {
        if (isRefusal(error)) refused.push(id)
        else figures.failures.push(String(error))
      }
    }
    const writeUntilRefused = async (bytes: number) => {
      const before = refused.length
      for (let turn = 0; refused.length === before && figures.failures.length === 0; turn++) {
        if (turn < maxWrites) await attempt(`${cycle}-last-${bytes}-${acked.length}`, bytes)
        else figures.failures.push(`${maxWrites} writes of ${bytes} bytes on a full disk, and none refused`)
      }
    }
    await disk.fill((50 + cycle * 20) * 1024)
    // Together, so that they meet the end of the disk inside a shared commit; of several sizes, so that at all places.
    for (let turn = 0; turn < 8 || (refused.length === 0 && turn < 1_000); turn++) {
      await Promise.all([20_000, 100, 3_000].map((bytes, index) => attempt(`${cycle}-${turn}-${index}`, bytes)))
    }
    await disk.fill(0)
    // The log has room of its own left: what is too large for it first, then what fills it up.
    for (const bytes of [40_000, 8_000, 100]) await writeUntilRefused(bytes)
    // One that is begun anew has room again, and then a write must find it as well.
    while (figures.failures.length === 0 && await isHealthy()) {
      const before = refused.length
      await attempt(`${cycle}-healthy-${acked.length}`, 100)
      if (refused.length > before) {
        figures.wrongHealth++
        break
      }
      await writeUntilRefused(100)
    }
    const whileFull = new Set(await readIds())
    await disk.empty()
    // The server looks once a second how much room there is, and its health once more.
    await sleep(2_100)
    if (!await isHealthy()) figures.wrongHealth++
    const before = refused.length
    for (let turn = 0; turn < 5; turn++) await attempt(`${cycle}-after-${turn}`, 100)
    figures.stuck += refused.length - before
    const stored = new Set(await readIds())
    figures.acked += acked.length
    figures.refused += refused.length
    figures.lost += acked.filter(id => !stored.has(id) || (!id.includes('after') && !whileFull.has(id))).length
    figures.ghosts += refused.filter(id => stored.has(id)).length
    await deleteAll()
  }
  return figures
}
