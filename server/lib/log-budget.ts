/** Bounds how fast the log grows: a number of lines a minute, then one that tells how many were left out. */
import { consola } from 'consola'
import { readSyncSettings } from '../config/sync.ts'
import { countLimited } from './limit-counts.ts'

const minuteMs = 60_000

let startedAt = -Infinity
let lines = 0
let leftOut = 0

/** True where one more line may be written this minute. */
export function mayLog(): boolean {
  const now = performance.now()
  if (now - startedAt >= minuteMs) {
    if (leftOut > 0) {
      consola.withTag('or3-sync').warn(`${leftOut} lines about requests were left out in a minute.`)
    }
    startedAt = now
    lines = 0
    leftOut = 0
  }
  if (++lines <= readSyncSettings().logLinesPerMinute) return true
  leftOut++
  countLimited('log-lines')
  return false
}

/** Ignores the errors of the log's streams: a full disk or a closed pipe must not end the process, nor keep it busy. */
export function surviveLogErrors(streams: readonly NodeJS.WriteStream[]): void {
  for (const stream of streams) stream.on('error', () => {})
}
