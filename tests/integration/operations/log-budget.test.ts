/** No request can make the log grow faster than a bounded rate, whoever writes the line. */
import { sql } from 'drizzle-orm'
import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { configureOps } from '../../../server/config/operations.ts'
import { configureSync } from '../../../server/config/sync.ts'
import { createSystemHooks } from '../../../server/host/webhooks/system-hooks.ts'
import { mayLog } from '../../../server/lib/log-budget.ts'
import { statementWatch } from '../../../server/operations/watch.ts'
import { createUserCaller } from '../../../server/sync/caller.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { engineOf } from '../../helpers/engine.ts'
import { serveRoutes } from '../../helpers/http-server.ts'
import { putOf, scope } from '../../helpers/sync.ts'

/** Before anything is imported: a logger with a tag takes this over when it is made. */
const logged = await vi.hoisted(async () => {
  const { consola } = await import('consola')
  const logged: unknown[] = []
  consola.mockTypes(type => (...all: unknown[]) => void (type !== 'info' && logged.push(all[0])))
  return logged
})

const linesPerMinute = 5
const caller = createUserCaller(scope.workspaceId, 'user-1')
const fail = () => {
  throw new Error('no')
}

/** The clock goes on, and jumps where a minute is to be over. */
let jumpedMs = 0
const now = performance.now.bind(performance)
vi.spyOn(performance, 'now').mockImplementation(() => now() + jumpedMs)
const endMinute = () => jumpedMs += 60_001

beforeEach(() => {
  endMinute()
  onTestFinished(() => configureSync())
})

const sources: [string, (times: number) => Promise<unknown>][] = [
  // Seen red: a stack trace for each request, before anybody was signed in.
  ['an auth provider that fails', async (times) => {
    const { call } = await serveRoutes({ provider: { getSession: fail }, limits: { rateLimits: false, logLinesPerMinute: linesPerMinute } })
    for (let turn = 0; turn < times; turn++) expect((await call('GET /api/workspaces')).status).toBe(503)
  }],
  ['a listener of ops that fails', async (times) => {
    const engine = engineOf(await openTestDatabase())
    engine.onApplied(fail)
    for (let turn = 0; turn < times; turn++) await engine.push(caller, { scope, ops: [putOf(`m${turn}`)] })
    await vi.waitFor(() => expect(logged.length).toBeGreaterThan(0))
  }],
  ['a listener of commits that fails', async (times) => {
    const engine = engineOf(await openTestDatabase())
    engine.onCommit(fail)
    for (let turn = 0; turn < times; turn++) await engine.push(caller, { scope, ops: [putOf(`m${turn}`)] })
  }],
  ['a webhook hook that fails, for each op of a push', async (times) => {
    const database = await openTestDatabase()
    const ops = Array.from({ length: times }, (_, index) => putOf(`m${index}`))
    await createSystemHooks(fail)(database, caller, { scope, ops }, await engineOf(database).push(caller, { scope, ops }))
  }],
  ['a statement that is slow', async (times) => {
    configureOps({ OR3_SQLITE_SLOW_STATEMENT_MS: '1' })
    onTestFinished(() => configureOps({}))
    const database = await openTestDatabase(statementWatch())
    const count = sql`with recursive c(n) as (select 1 union all select n + 1 from c where n < 20000) select count(*) from c`
    for (let turn = 0; turn < times; turn++) await database.read.all(count)
  }],
]

// Seen red for each, without a bound.
it.each(sources)('%s', async (_, run) => {
  configureSync({ logLinesPerMinute: linesPerMinute })
  logged.length = 0
  await run(30)
  // One more may tell what the minute before has left out.
  const lines = logged.filter(line => !/were left out/.test(String(line)))
  expect(lines.length).toBeGreaterThan(0)
  expect(lines.length).toBeLessThanOrEqual(linesPerMinute)
})

it('says how many lines were left out, once the minute is over', () => {
  configureSync({ logLinesPerMinute: linesPerMinute })
  logged.length = 0
  expect(Array.from({ length: 50 }, mayLog).filter(Boolean)).toHaveLength(linesPerMinute)
  endMinute()
  expect(mayLog()).toBe(true)
  expect(logged.at(-1)).toBe('45 lines about requests were left out in a minute.')
})
