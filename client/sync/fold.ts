/**
 * Folds the tail of single records into segments. Segments that are small, or of which most entries were replaced, are
 * written anew with it, so a change costs about the same in a large store as in a small one.
 */
import type { Commit, Entry, Segment } from '../types.ts'
import type { SyncDevice } from './device.ts'

/** Rows of some hundred bytes make records of about a megabyte: few enough to read fast, small enough to rewrite. */
export const segmentSize = 2_000
/** A start reads each record of the tail by itself; this many take a few milliseconds. */
const foldAt = 2_000

/** Folds where the tail has grown long. */
export async function foldTail({ state, writer }: SyncDevice): Promise<void> {
  if (state.tailSize < foldAt || !writer.isDurable) return
  if (state.isFoldingStale) await writer.reload()
  await writer.update(() => state.isFoldingStale ? undefined : planFold(state))
}

function planFold({ tables, segments: known, meta: { generation } }: SyncDevice['state']): Commit {
  const dropSegments = [...known]
    .flatMap(([id, { live, stored }]) => live * 2 < Math.max(stored, segmentSize) ? [id] : [])
  const moving = new Set([0, ...dropSegments])
  const segments: Segment[] = []
  for (const { name, confirmed } of tables()) {
    const entries: Entry[] = []
    for (const entry of confirmed.values()) if (moving.has(entry.seg)) entries.push(entry)
    entries.sort((a, b) => a.pk < b.pk ? -1 : 1)
    for (let at = 0; at < entries.length; at += segmentSize) {
      segments.push({ id: createSegmentId(), generation, table: name, entries: entries.slice(at, at + segmentSize) })
    }
  }
  return { fold: { segments, dropSegments } }
}

/** A random id: tabs that stage snapshots at once need no common counter. It fits a small integer of V8. */
export function createSegmentId(): number {
  return 1 + crypto.getRandomValues(new Uint32Array(1))[0]! % (2 ** 30 - 1)
}
