/** How large the property runs are: 1 is what fits into a change's checks; OR3_TEST_SCALE=20 takes a night. */
import type fc from 'fast-check'

const scale = Number(process.env['OR3_TEST_SCALE'] ?? 1)

/** A failure prints seed and path; OR3_TEST_SEED runs that seed again. */
export function runs(count: number): fc.Parameters<unknown> {
  const seed = process.env['OR3_TEST_SEED']
  return { numRuns: Math.max(1, Math.round(count * scale)), ...seed === undefined ? {} : { seed: Number(seed) } }
}

/** A property loses no power: what it looks for is not lost by the disk. */
export const withoutFlushes = { env: { OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'OFF' } }

/** Of a test with `count` runs that takes `seconds` at scale 1 on two slow cores. */
export function timeoutMs(seconds: number): number {
  return Math.max(1, scale) * seconds * 1000
}

export function scaled(count: number): number {
  return Math.max(1, Math.round(count * scale))
}
