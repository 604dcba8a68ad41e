import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/{unit,property,e2e}/**/*.test.ts'],
    // Every test opens a real database file; two of them at once is what the machines we know can do.
    maxWorkers: 2,
    testTimeout: 30_000,
  },
})
