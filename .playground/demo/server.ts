/** The built playground on a free port and a database of its own in the temp folder, gone afterwards. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ENTRY = join(ROOT, '.playground/.output/server/index.mjs')
/** A start takes half a second; a slow disk with a cold cache some more. */
const START_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 5_000

export interface DemoServer {
  url: string
  pid: number
  stop(): Promise<void>
}

export async function startServer(): Promise<DemoServer> {
  if (!existsSync(ENTRY)) await buildPlayground()
  const folder = await mkdtemp(join(tmpdir(), 'or3-demo-'))
  const port = String(await findFreePort())
  const env = { ...process.env, NODE_ENV: 'production', OR3_SQLITE_DB_PATH: join(folder, 'demo.db') }
  const child = spawn(process.execPath, [ENTRY], {
    cwd: folder,
    env: { ...env, HOST: '127.0.0.1', NITRO_HOST: '127.0.0.1', PORT: port, NITRO_PORT: port },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lastWords = collectOutput(child)
  const stop = async () => {
    await endProcess(child)
    await rm(folder, { recursive: true, force: true })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stop().then(() => process.exit(signal === 'SIGINT' ? 130 : 143)))
  }
  try {
    const url = `http://127.0.0.1:${port}`
    await waitForAnswer(url, child, lastWords)
    return { url, pid: child.pid!, stop }
  }
  catch (error) {
    await stop()
    throw error
  }
}

async function buildPlayground(): Promise<void> {
  console.error('Building the playground once …')
  const nuxt = join(ROOT, 'node_modules/nuxt/bin/nuxt.mjs')
  const child = spawn(process.execPath, [nuxt, 'build', '.playground'], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const lastWords = collectOutput(child)
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0 || !existsSync(ENTRY)) throw new Error(`The playground could not be built: ${lastWords()}`)
}

/** Keeps the end of what a process says and finds the line in it that explains its failure. */
function collectOutput(child: ChildProcess): () => string {
  let text = ''
  const keep = (chunk: unknown) => (text = (text + String(chunk)).slice(-8000))
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  return () => {
    const lines = stripVTControlCharacters(text)
      .split('\n')
      .map(line => line.trim())
      .filter(Boolean)
    return (
      lines.findLast(line => /error\b/i.test(line) && !line.startsWith('at ')) ?? lines.at(-1) ?? 'it said nothing.'
    )
  }
}

async function waitForAnswer(url: string, child: ChildProcess, lastWords: () => string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline) {
    if (hasEnded(child)) throw new Error(`The server ended before it answered: ${lastWords()}`)
    const response = await fetch(`${url}/api/auth/session`).catch(() => undefined)
    await response?.arrayBuffer()
    if (response?.ok) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error(`The server gave no answer within ${START_TIMEOUT_MS / 1000} s: ${lastWords()}`)
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return
  const ended = once(child, 'exit')
  const impatience = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
  child.kill('SIGTERM')
  await ended
  clearTimeout(impatience)
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}
