/** T19 on the built server: the line at the start, a database of its own for each test server, another platform. */
import { mkdtemp, rename } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readdirSync } from 'node:fs'
import { expect, it } from 'vitest'
import { runToEnd, startServer } from '../helpers/server.ts'
import { buildPlayground, moveOutput } from './builds.ts'
import { createClient } from './client.ts'
import { useBuiltServer } from './use-built-server.ts'

const header = 'x-demo-user'
const built = useBuiltServer(buildPlayground)

// Seen red: nothing told that the path was another one than was meant.
it('says at each start which file it has open, and how much is in it', async () => {
  const dbPath = join(await mkdtemp(join(tmpdir(), 'or3-place-')), 'a.db')
  const first = await startServer({ output: built.output, dbPath })
  await createClient(first, header, 'ada').workspaceId()
  expect(first.output()).toContain(`The database ${dbPath} is open: 0 workspaces, 0 changes.`)
  await first.stop()
  const second = await startServer({ output: built.output, dbPath })
  await second.fetch('/api/auth/session')
  expect(second.output()).toContain(`The database ${dbPath} is open: 1 workspace, 0 changes.`)
})

// Seen red: a folder called "~".
it('refuses a path that no shell has expanded', async () => {
  const ending = await runToEnd({ output: built.output, dbPath: '~/x.db' })
  expect(ending).toMatchObject({ code: 1, output: expect.stringContaining('OR3_SQLITE_DB_PATH is ~/x.db: nothing replaces the ~ here.') as string })
})

it('gives each test server a database of its own by one setting', async () => {
  const [one, other] = await Promise.all([1, 2].map(() => startServer({ output: built.output, dbPath: ':temporary:' })))
  const ids = await Promise.all([one!, other!].map(server => createClient(server, header, 'ada').workspaceId()))
  expect(ids[0]).not.toBe(ids[1])
})

// Seen red: a raw MODULE_NOT_FOUND with its stack.
it('says in one sentence that it was built for another platform', async () => {
  const output = await moveOutput(built.app)
  const modules = join(output, 'server/node_modules/@libsql')
  const binding = readdirSync(modules).find(name => name.startsWith(`${process.platform}-`))!
  await rename(join(modules, binding), join(output, 'binding'))
  const ending = await runToEnd({ output, dbPath: 'a.db' })
  expect(ending.code).toBe(1)
  expect(ending.output).toMatch(/the native driver \(libsql\) does not run on \w+ \w+.*build the app on the platform that runs it/)
  expect(ending.output).not.toMatch(/^\s+at /m)
})
