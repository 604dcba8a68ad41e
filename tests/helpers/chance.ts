/** A course of events that a seed repeats. */
export type Chance = (count: number) => number

/** Gives integers from 0 to below `count` (mulberry32). */
export function createChance(seed: number): Chance {
  let state = seed
  return (count) => {
    state = (state + 0x6D2B79F5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % count
  }
}

/** `OR3_TEST_SEED`, or a new one; printed, so that a failure can be run again. */
export function readSeed(name: string): number {
  const seed = Number(process.env['OR3_TEST_SEED'] ?? Date.now() % 2 ** 31)
  console.log(`${name}: OR3_TEST_SEED=${seed}`)
  return seed
}
