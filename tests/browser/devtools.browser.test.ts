/** The dev server of the to-do app: the tab in Nuxt DevTools, and what a reload of the server does to live streams. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
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
  const { url } = await startDevServer()
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

// Seen red with the streams left to the connection's end.
it('ends a live stream within a second of a reload, and the page hears of another device again', async () => {
  const { url, folder, until } = await startDevServer()
  const browser = await launchBrowser()
  onTestFinished(() => browser.close())
  const [tab, other] = await Promise.all([1, 2].map(async () => {
    const context = await openBrowser(browser, url, 'ada')
    context.setDefaultTimeout(60_000)
    return openTab(context, url)
  }))
  const headers = { cookie: 'name=ada' }
  const answer = await fetch(`${url}api/auth/session`, { headers }).then(response => response.json()) as { session: { workspace: { id: string } } }
  const stream = await fetch(`${url}api/sync/live?workspaceId=${answer.session.workspace.id}`, { headers })
  const reader = stream.body!.getReader()
  await reader.read()
  const ended = (async () => {
    while (!await reader.read().then(({ done }) => done, () => true));
    return performance.now()
  })()
  const plugin = join(folder, 'server/plugins/reloaded.ts')
  onTestFinished(() => rm(plugin, { force: true }))
  await writeFile(plugin, `export default defineNitroPlugin(() => console.log('the next server'))`)
  const reloadedAt = await until('the next server')
  expect(await ended - reloadedAt).toBeLessThan(1_000)
  await other!.add('Buy eggs')
  await tab!.row('Buy eggs').waitFor()
}, 400_000)

/** `nuxt dev` in the app's folder; `until` says when it has printed a text. */
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
  onTestFinished(async () => {
    // With the processes that it has started.
    process.kill(-child.pid!, 'SIGTERM')
    await once(child, 'exit')
    await rm(data, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${port}/`
  for (const end = performance.now() + startMs; performance.now() < end; await delay(250)) {
    const html = await fetch(url).then(answer => answer.text(), () => '')
    if (html.includes('What is to be done?')) return { url, folder, until }
  }
  throw new Error(`The dev server does not answer:\n${output}`)

  async function until(text: string): Promise<number> {
    for (const end = performance.now() + startMs; performance.now() < end; await delay(20)) {
      if (output.includes(text)) return performance.now()
    }
    throw new Error(`The dev server did not print "${text}":\n${output}`)
  }
}
