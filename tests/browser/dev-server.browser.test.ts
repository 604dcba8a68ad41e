/** `nuxt dev` of the to-do app: the layer's tab in Nuxt DevTools, and what a reload of the server does to live streams. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, expect, it, onTestFinished } from 'vitest'
import { buildFixture, testedTodo } from '../e2e/builds.ts'
import { launchBrowser } from './playground-page.ts'
import { findFreePort } from '../helpers/free-port.ts'
import { readLive } from '../helpers/live-stream.ts'
import { openBrowser, openTab } from './todo-page.ts'

const startMs = 120_000

let url: string
let folder: string

beforeAll(async () => {
  const server = await startDevServer()
  ;({ url, folder } = server)
  return server.stop
}, 2 * startMs)

it('shows replica and outbox of the open page, and takes it offline and back', async () => {
  const browser = await launchBrowser()
  onTestFinished(() => browser.close())
  const context = await openBrowser(browser, url, 'ada')
  context.setDefaultTimeout(60_000)
  const tab = await openTab(context, url)
  await tab.add('Buy milk')
  await tab.page.getByText('0 waiting').waitFor()

  const tools = await context.newPage()
  await tools.goto(`${url}__or3-sync`)
  await tools.locator('tr', { hasText: 'todos' }).getByText('1 rows').waitFor()
  await tools.getByText('Nothing waits.').waitFor()
  await tools.getByRole('button', { name: 'Go offline' }).click()
  await tools.getByRole('button', { name: 'Go online' }).waitFor()
  await tab.add('Buy bread')
  await tools.locator('tr', { hasText: 'put' }).getByText('Buy bread').waitFor()
  await tools.getByRole('button', { name: 'Go online' }).click()
  await tools.getByText('Nothing waits.').waitFor()
  await tools.getByText('2 rows').waitFor()
  expect(tab.complaints.filter(complaint => /hydration/i.test(complaint))).toEqual([])
}, 400_000)

it('ends a live stream by the time the reloaded server answers', async () => {
  const headers = { cookie: 'name=ada' }
  const { session } = await fetch(`${url}api/auth/session`, { headers })
    .then(answer => answer.json()) as { session: { workspace: { id: string } } }
  const openStream = async () => {
    const stream = await readLive(new URL(url).origin, { workspaceId: session.workspace.id }, headers)
    await stream.next(({ type }) => type === 'hello')
    return stream
  }
  const stream = await openStream()
  const routes = join(folder, 'server/api')
  onTestFinished(() => rm(routes, { recursive: true, force: true }))
  await mkdir(routes, { recursive: true })
  await writeFile(join(routes, 'reloaded.get.ts'), `export default defineEventHandler(() => 'reloaded')`)
  // A request that the server takes just before it is replaced may never get an answer.
  const ask = () => fetch(`${url}api/reloaded`, { signal: AbortSignal.timeout(2_000) }).then(answer => answer.text(), () => '')
  const end = performance.now() + startMs
  while (await ask() !== 'reloaded' && performance.now() < end) await delay(20)
  expect(stream.closedAt).toBeDefined()
  const next = await openStream()
  next.close()
}, 2 * startMs)

/** `nuxt dev` in the app's folder, with its address. */
async function startDevServer() {
  const { folder } = await buildFixture(testedTodo)
  const data = await mkdtemp(join(tmpdir(), 'or3-dev-'))
  const port = await findFreePort()
  const { NODE_ENV, VITEST, ...inherited } = process.env
  const child = spawn(process.execPath, [join(folder, 'node_modules/nuxt/bin/nuxt.mjs'), 'dev', '--port', String(port), '--host', '127.0.0.1'], {
    cwd: folder, detached: true, stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...inherited, OR3_SQLITE_DB_PATH: join(data, 'sync.db'), NUXT_TELEMETRY_DISABLED: '1' },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const stop = async () => {
    // With the processes that it has started.
    process.kill(-child.pid!, 'SIGTERM')
    await once(child, 'exit')
    await rm(data, { recursive: true, force: true })
  }
  const url = `http://127.0.0.1:${port}/`
  for (const end = performance.now() + startMs; performance.now() < end; await delay(250)) {
    const html = await fetch(url).then(answer => answer.text(), () => '')
    if (html.includes('What is to be done?')) return { url, folder, stop }
  }
  await stop()
  throw new Error(`The dev server does not answer:\n${output}`)
}
