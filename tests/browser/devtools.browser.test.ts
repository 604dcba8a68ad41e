/** The tab in Nuxt DevTools, on the dev server of the to-do app: what the open page holds, and its switch for offline. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { buildFixture, testedTodo } from '../e2e/builds.ts'
import { launchBrowser } from './playground-page.ts'
import { findFreePort } from '../helpers/free-port.ts'
import { openBrowser, openTab } from './todo-page.ts'

const startMs = 120_000

it('shows replica and outbox of the open page, and takes it offline and back', async () => {
  const url = await startDevServer()
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

/** `nuxt dev` in the app's folder. Answers with its address. */
async function startDevServer(): Promise<string> {
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
  onTestFinished(async () => {
    // With the processes that it has started.
    process.kill(-child.pid!, 'SIGTERM')
    await once(child, 'exit')
    await rm(data, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${port}/`
  for (const end = performance.now() + startMs; performance.now() < end; await delay(250)) {
    const html = await fetch(url).then(answer => answer.text(), () => '')
    if (html.includes('What is to be done?')) return url
  }
  throw new Error(`The dev server does not answer:\n${output}`)
}
