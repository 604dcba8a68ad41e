/** A server of a fault run: a process of its own, killed without a word, started again on the same file. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { buildPlayground } from '../e2e/builds.ts'
import { makeOneFile } from '../helpers/one-file.ts'

export interface FaultyServer {
  url: string
  pid: number
  /** False once it has ended, by itself or not. */
  readonly isRunning: boolean
  /** SIGKILL: nothing of it runs after that. */
  kill(): Promise<void>
  /** SIGTERM. */
  stop(): Promise<void>
  ended: Promise<unknown>
  output(): string
}

export type StartServer = (dbPath: string, env?: Record<string, string>) => Promise<FaultyServer>

const startMs = 180_000

let built: ReturnType<typeof buildPlayground> | undefined

/** The playground, built anew where its sources have changed. */
export const startBuilt: StartServer = async (dbPath, env) => {
  const { output } = await (built ??= buildPlayground())
  return startProcess([`${output}/server/index.mjs`], {
    NUXT_OR3_SQLITE_LIMITS_RATE_LIMITS: 'false', OR3_SQLITE_DB_PATH: dbPath, OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'FULL', ...env,
  })
}

/** The rooms of the layer in a server of these tests, which can be told to be faulty. */
export const startRooms: StartServer = (dbPath, env) =>
  startProcess([makeOneFile(new URL('rooms-server.ts', import.meta.url))], { OR3_SQLITE_DB_PATH: dbPath, ...env })

/** The environment of a server whose clock is ahead of the machine's. */
export function otherClock(aheadMs: number): Record<string, string> {
  return { CLOCK_AHEAD_MS: String(aheadMs), NODE_OPTIONS: `--import=${new URL('other-clock.mjs', import.meta.url).href}` }
}

async function startProcess(args: string[], env: Record<string, string>): Promise<FaultyServer> {
  const child = spawn(process.execPath, ['--no-warnings', ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', PORT: '0', NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => printed += chunk.toString())
  const ended = once(child, 'close')
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  void ended.then(() => process.off('exit', killAtExit))
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal)
    await ended
  }
  const url = await findUrl(child, ended, () => printed)
  return {
    url, ended, pid: child.pid!,
    get isRunning() {
      return child.exitCode === null && child.signalCode === null
    },
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    output: () => printed,
  }
}

async function findUrl(child: ChildProcess, ended: Promise<unknown>, output: () => string): Promise<string> {
  const deadline = performance.now() + startMs
  let over = false
  void ended.then(() => over = true)
  while (performance.now() < deadline && !over) {
    const url = /Listening on (http:\S+)/.exec(output())?.[1]
    if (url) return url
    await Promise.race([once(child.stdout!, 'data'), ended])
  }
  child.kill('SIGKILL')
  throw new Error(`The server does not listen:\n${output()}`)
}
