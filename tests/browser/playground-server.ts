/**
 * The built playground on a free port with a database of its own, gone when it is stopped.
 * It is built first when there is no build or when a source file is newer than it.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { findFreePort } from '../helpers/free-port.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ENTRY = process.env['PLAYGROUND_ENTRY'] ?? join(ROOT, '.playground/.output/server/index.mjs')
const SOURCES = ['.playground/app', '.playground/server', '.playground/shared', '.playground/nuxt.config.ts', 'app', 'client', 'server', 'shared', 'modules', 'nuxt.config.ts', 'drizzle']
const START_MS = 20_000
/** All tests ask from one address. */
const oneAddress = { NUXT_OR3_SQLITE_LIMITS_RATE_LIMITS: '{"session":false}' }

export interface PlaygroundServer {
  url: string
  /** Kills the server without warning; the database stays. */
  kill(): Promise<void>
  /** Starts it again on the same port and database. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export async function startPlayground(): Promise<PlaygroundServer> {
  if (!process.env['PLAYGROUND_ENTRY'] && (await isBuildStale())) await buildPlayground()
  const folder = await mkdtemp(join(tmpdir(), 'or3-playground-'))
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  const env = { ...process.env, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), OR3_SQLITE_DB_PATH: join(folder, 'sync.db'), ...oneAddress }
  let child = await startProcess(url, env)

  return {
    url,
    kill: () => endProcess(child, 'SIGKILL'),
    async restart() {
      child = await startProcess(url, env)
    },
    async stop() {
      await endProcess(child, 'SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function startProcess(url: string, env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const child = spawn(process.execPath, [ENTRY], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const deadline = Date.now() + START_MS
  while (!(await answers(url))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await endProcess(child, 'SIGKILL')
      throw new Error(`The playground did not start:\n${output}`)
    }
    await delay(100)
  }
  return child
}

async function endProcess(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  }
  catch {
    return false
  }
}

async function isBuildStale(): Promise<boolean> {
  const builtAt = await stat(ENTRY).then(entry => entry.mtimeMs, () => 0)
  const changedAt = await Promise.all(SOURCES.map(source => findNewest(join(ROOT, source))))
  return Math.max(...changedAt) > builtAt
}

async function findNewest(path: string): Promise<number> {
  const entry = await stat(path).catch(() => undefined)
  if (!entry?.isDirectory()) return entry?.mtimeMs ?? 0
  const children = await readdir(path)
  return Math.max(0, ...(await Promise.all(children.map(child => findNewest(join(path, child))))))
}

async function buildPlayground(): Promise<void> {
  const nuxt = join(ROOT, 'node_modules/nuxt/bin/nuxt.mjs')
  const child = spawn(process.execPath, [nuxt, 'build', '.playground'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`The playground could not be built (exit code ${String(code)}).`)
}
