import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    include: ['tests/browser/**/*.browser.test.ts'],
    testTimeout: 60_000,
    // The first start may have to build the playground.
    hookTimeout: 240_000,
  },
})
