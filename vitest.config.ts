import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What an app imports, for the examples of the docs and for the composables. */
const alias = {
  '#or3-sync': fileURLToPath(new URL('server/index.ts', import.meta.url)),
  '#imports': fileURLToPath(new URL('tests/helpers/nuxt-imports.ts', import.meta.url)),
  'or3-layer-sqlite/shared': fileURLToPath(new URL('shared/index.ts', import.meta.url)),
}

/** Each test file imports anew, and these are hundreds of small modules: one file of each halves the time of that. */
const bundled = [
  'drizzle-orm', 'drizzle-orm/sqlite-core', 'drizzle-orm/libsql', 'drizzle-orm/libsql/web', 'drizzle-orm/migrator',
  'zod', 'h3',
]

/** Compares with the driver itself, by the class of its errors: a bundle would have a class of its own. */
const withDriver = 'tests/integration/database/local-client.test.ts'

/** What builds apps or starts processes takes longest, and comes first: at the end it would keep one worker alone. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => /\/(?:e2e|property|cli)\/|remote/.test(moduleId)
    return (await super.sort(files)).toSorted((a, b) => Number(isLong(b)) - Number(isLong(a)))
  }
}

export default defineConfig({
  resolve: { alias },
  test: {
    // Every test opens a real database file; two of them at once is what the machines we know can do.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    // What starts processes takes half a minute on a busy machine; a test that hangs is still ended.
    testTimeout: 60_000,
    // The processes that tests start read the same modules again and again: a quarter of their start.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache') },
    projects: [
      {
        extends: true,
        test: {
          name: 'bundled', include: ['tests/{unit,integration,property,e2e}/**/*.test.ts'], exclude: [withDriver],
          deps: { optimizer: { ssr: { enabled: true, include: bundled } } },
        },
      },
      { extends: true, test: { name: 'with driver', include: [withDriver] } },
    ],
  },
})
