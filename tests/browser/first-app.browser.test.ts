/**
 * "Your first synced app" of README.md, pasted into a shell as it stands, and looked at in two browsers. Only the version
 * of the layer differs: the one packed from this tree.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { launchBrowser } from './playground-page.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const run = promisify(execFile)
const buildMs = 300_000

async function readScript(): Promise<string> {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const section = readme.slice(readme.indexOf('## Your first synced app'))
  return section.slice(section.indexOf('```sh\n') + '```sh\n'.length, section.indexOf('\n```\n'))
}

async function packLayer(folder: string): Promise<string> {
  const { stdout } = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], { cwd: root })
  const packed = JSON.parse(stdout) as { filename: string }[] | Record<string, { filename: string }>
  return join(folder, Object.values(packed)[0]!.filename)
}

async function findPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

/** Runs the script as a person would, and waits for the server at its end. */
async function startFirstApp(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'or3-first-app-'))
  const tarball = await packLayer(folder)
  const script = (await readScript()).replace('npm install nuxt or3-layer-sqlite', `npm install nuxt ${tarball}`)
  const port = await findPort()
  const { NODE_ENV, VITEST, ...inherited } = process.env
  const env = { ...inherited, PORT: String(port), HOST: '127.0.0.1', npm_config_prefer_offline: 'true', npm_config_audit: 'false' }
  const shell = spawn('sh', ['-e', '-c', script], { cwd: folder, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [shell.stdout, shell.stderr]) stream.on('data', (chunk: Buffer) => output += chunk.toString())
  onTestFinished(async () => {
    process.kill(-shell.pid!, 'SIGKILL')
    await once(shell, 'close').catch(() => {})
    await rm(folder, { recursive: true, force: true })
  })
  const url = `http://127.0.0.1:${port}/`
  for (const until = Date.now() + buildMs; Date.now() < until; await sleep(500)) {
    if (shell.exitCode !== null) break
    if (await fetch(url).then(answer => answer.ok, () => false)) return url
  }
  throw new Error(`The first app did not start:\n${output.slice(-4_000)}`)
}

it('syncs two browsers, and keeps what was written offline over a reload', { timeout: buildMs + 120_000 }, async () => {
  const url = await startFirstApp()
  const browser = await launchBrowser()
  onTestFinished(() => browser.close())
  const open = async () => {
    const page = await (await browser.newContext()).newPage()
    await page.goto(url)
    await page.waitForSelector('button:not([disabled])')
    return page
  }
  const [ann, ben] = [await open(), await open()]
  const textsOf = (page: typeof ann) => page.locator('li').allInnerTexts().then(texts => texts.map(text => text.replace('Remove', '').trim()))
  const add = async (page: typeof ann, text: string) => {
    await page.fill('input[name=text]', text)
    await page.click('form button')
  }

  await add(ann, 'Milk')
  await ben.waitForSelector('li')
  expect(await textsOf(ben)).toEqual(['Milk'])
  expect(await (await fetch(url)).text(), 'the row is in the HTML').toContain('Milk')

  await ben.context().setOffline(true)
  await add(ben, 'Bread')
  expect((await textsOf(ben)).sort()).toEqual(['Bread', 'Milk'])
  await ben.waitForFunction(() => document.body.innerText.includes('1 waiting'))
  await ben.context().setOffline(false)
  await ben.reload()
  await ann.waitForFunction(() => document.querySelectorAll('li').length === 2, null, { timeout: 60_000 })
  expect((await textsOf(ann)).sort()).toEqual(['Bread', 'Milk'])
})
