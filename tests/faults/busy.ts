/**
 * T6: a second process holds the write lock in random bursts while this one writes, as often as told. What was
 * acknowledged is compared with what a third connection reads from the file afterwards. Upholds P1 and P9.
 */
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { startChild } from '../helpers/child.ts'
import { watchLoop } from '../helpers/loop-watch.ts'

export interface BusyOptions {
  path: string
  /** Writes the one row `id` and resolves when it is acknowledged. */
  write: (id: string) => Promise<unknown>
  /** Closes the database; the rows are counted after that. */
  close: () => Promise<void> | void
  /** Reads all ids from the file. */
  idsSql: string
  /** True where `error` is the clear, retryable refusal. */
  isRefusal: (error: unknown) => boolean
  holdMs: readonly [least: number, most: number]
  durationMs: number
}

export interface BusyFigures {
  holds: number
  heldMs: number
  acked: number
  /** Acknowledged and not in the file. */
  lost: number
  refused: number
  /** Refused and in the file all the same. */
  ghosts: number
  /** Messages of errors that were no refusal. */
  failures: string[]
  /** The longest time the event loop stood still, and what 99 of 100 of its turns stayed under. */
  longestStopMs: number
  p99StopMs: number
}

const writers = 8

export async function runBusy({ path, write, close, idsSql, isRefusal, holdMs, durationMs }: BusyOptions): Promise<BusyFigures> {
  const holder = startChild('helpers/lock-holder.ts', [path, 'bursts', ...holdMs.map(String)])
  await holder.line()
  const acked: string[] = []
  const refused: string[] = []
  const failures: string[] = []
  const loop = watchLoop()
  const until = performance.now() + durationMs
  await Promise.all(Array.from({ length: writers }, async (_, writer) => {
    for (let turn = 0; performance.now() < until; turn++) {
      const id = `${writer}-${turn}`
      try {
        await write(id)
        acked.push(id)
      }
      catch (error) {
        if (isRefusal(error)) refused.push(id)
        else failures.push(String(error))
      }
      await sleep(Math.random() * 4)
    }
  }))
  const longestStopMs = loop.stop()
  const p99StopMs = loop.percentile(99)
  const ended = holder.end()
  const { holds, heldMs } = JSON.parse(await holder.line()) as { holds: number, heldMs: number }
  await ended
  await close()
  const stored = readIds(path, idsSql)
  return {
    holds, heldMs, failures, longestStopMs, p99StopMs,
    acked: acked.length, lost: acked.filter(id => !stored.has(id)).length,
    refused: refused.length, ghosts: refused.filter(id => stored.has(id)).length,
  }
}

function readIds(path: string, sql: string): Set<unknown> {
  const reader = new DatabaseSync(path)
  const ids = new Set(reader.prepare(sql).all().map(row => row['id']))
  reader.close()
  return ids
}
