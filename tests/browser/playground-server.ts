/** The built playground on a free port with a database of its own, gone when it is stopped. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { buildPlayground } from '../e2e/builds.ts'
import { findFreePort } from '../helpers/free-port.ts'

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
  const { output } = await buildPlayground()
  const folder = await mkdtemp(join(tmpdir(), 'or3-playground-'))
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  const env = { ...process.env, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), OR3_SQLITE_DB_PATH: join(folder, 'sync.db'), ...oneAddress }
  let child = await startProcess(output, url, env)

  return {
    url,
    kill: () => endProcess(child, 'SIGKILL'),
    async restart() {
      child = await startProcess(output, url, env)
    },
    async stop() {
      await endProcess(child, 'SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function startProcess(output: string, url: string, env: NodeJS.ProcessEnv): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(output, 'server/index.mjs')], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const deadline = Date.now() + START_MS
  while (!(await answers(url))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await endProcess(child, 'SIGKILL')
      throw new Error(`The playground did not start:\n${printed}`)
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
