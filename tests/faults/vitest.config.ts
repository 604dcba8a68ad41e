import { defineConfig } from 'vitest/config'

/** `OR3_FAULTS_SCALE` makes each run longer (10: a night) or shorter (0.2: a look). */
export default defineConfig({
  test: {
    dir: 'tests/faults',
    // One at a time: they measure how long the event loop stands still.
    maxWorkers: 1,
    fileParallelism: false,
    testTimeout: 24 * 3_600_000,
  },
})
