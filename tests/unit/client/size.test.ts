/** What the client costs a browser; and that nothing of a server or a framework is in it. */
import { expect, it } from 'vitest'
import { weighClient } from '../../helpers/client-weight.ts'

// Seen red with `eventsource-parser` in the stream's reader, and with a schema library in a definition's file.
it('has 20 KB at most with composables and live connection, without Node, Vue or zod', { timeout: 120_000 }, async () => {
  const { gzipBytes, sources } = await weighClient()
  expect(gzipBytes).toBeLessThanOrEqual(20 * 1024)
  expect(sources).toContain('client/live/live.ts')
  expect(sources).toContain('app/composables/useSyncedTable.ts')
  expect(sources.filter(path => !/^(?:app|client|shared|node_modules\/idb)\//.test(path))).toEqual([])
})
