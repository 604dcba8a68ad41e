/**
 * A built server as an operator runs it: a process of its own, on a free port, with nothing of this process's settings.
 * It knows no more of the app than its `.output` folder. Whatever a test leaves running is killed after it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { onTestFinished } from 'vitest'

export interface ServerOptions {
  /** The `.output` folder. */
  output: string
  /** Undefined leaves the database's path to the server. */
  dbPath: string | undefined
  env?: Record<string, string>
  /** The working folder; a temporary one where it is left out. */
  cwd?: string
  /** For a server that several tests share: who started it stops it. */
  isShared?: boolean
  /** Where its log goes instead, as a file descriptor, and the port to find it by, since it cannot say where it listens. */
  unheard?: { log: number, port: number }
}

export interface Ending { code: number | null, signal: NodeJS.Signals | null, afterMs: number, output: string }

export interface RunningServer {
  url: string
  pid: number
  /** What it has printed so far, on both streams. */
  output(): string
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** SIGTERM, as a process manager sends it; `afterMs` counts from there. */
  stop(): Promise<Ending>
  /** SIGKILL: nothing of the server runs after it. */
  kill(): Promise<Ending>
}

const startMs = 20_000

/** Starts the server and waits until it listens. Throws with its output where it ends instead. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { child, output, ended } = await launch(options)
  const { unheard } = options
  const url = await Promise.race([
    unheard ? untilAnswered(`http://127.0.0.1:${unheard.port}`) : findUrl(output, child),
    ended.then((ending) => {
      throw new Error(`The server ended with ${ending.code ?? ending.signal} instead of listening:\n${ending.output}`)
    }),
  ])
  const end = (signal: NodeJS.Signals) => {
    const sentAt = performance.now()
    child.kill(signal)
    return ended.then(ending => ({ ...ending, afterMs: performance.now() - sentAt }))
  }
  return {
    url,
    pid: child.pid!,
    output,
    fetch: (path, init) => fetch(new URL(path, url), init),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  }
}

/** Starts a server that should refuse to run, and says how it ended. `afterMs` counts from the start. */
export async function runToEnd(options: ServerOptions): Promise<Ending> {
  const { child, output, ended } = await launch(options)
  const timer = setTimeout(() => child.kill('SIGKILL'), startMs)
  const ending = await ended
  clearTimeout(timer)
  if (ending.signal === 'SIGKILL') throw new Error(`The server did not end by itself:\n${output()}`)
  return ending
}

async function launch({ output: folder, dbPath, env = {}, cwd, isShared = false, unheard }: ServerOptions) {
  const workFolder = cwd ?? await mkdtemp(join(tmpdir(), 'or3-server-'))
  const startedAt = performance.now()
  const child = spawn(process.execPath, [join(folder, 'server/index.mjs')], {
    cwd: workFolder,
    env: { ...inherited(), HOST: '127.0.0.1', PORT: String(unheard?.port ?? 0), ...oneAddress, ...dbPath !== undefined && { OR3_SQLITE_DB_PATH: dbPath }, ...env },
    stdio: ['ignore', unheard?.log ?? 'pipe', unheard?.log ?? 'pipe'],
  })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (printed += chunk.toString()))
  const output = () => printed
  const ended: Promise<Ending> = once(child, 'close').then(([code, signal]: unknown[]) => {
    return { code: code as number | null, signal: signal as Ending['signal'], afterMs: performance.now() - startedAt, output: printed }
  })
  const cleanUp = async () => {
    child.kill('SIGKILL')
    await ended
    if (cwd === undefined) await rm(workFolder, { recursive: true, force: true })
  }
  if (!isShared) onTestFinished(cleanUp)
  else if (cwd === undefined) void ended.then(cleanUp)
  return { child, output, ended }
}

/** All tests ask from one address. */
const oneAddress = { NUXT_OR3_SQLITE_LIMITS_RATE_LIMITS: '{"session":false}' }

/** The test's own settings must not reach the server. */
function inherited(): NodeJS.ProcessEnv {
  const ours = /^(OR3_|NUXT_|NITRO_|VITEST|TEST$|NODE_ENV$|NODE_OPTIONS$|PORT$|HOST$)/
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name))), NODE_ENV: 'production' }
}

async function untilAnswered(url: string): Promise<string> {
  const deadline = performance.now() + startMs
  while (!await fetch(url).then(() => true, () => false)) {
    if (performance.now() > deadline) throw new Error('The server does not listen')
    await sleep(50)
  }
  return url
}

async function findUrl(output: () => string, child: ChildProcess): Promise<string> {
  const deadline = performance.now() + startMs
  while (performance.now() < deadline) {
    const url = /Listening on (http:\S+)/.exec(output())?.[1]
    if (url) return url
    await Promise.race([once(child.stdout!, 'data'), once(child, 'close')])
    if (child.exitCode !== null) break
  }
  throw new Error(`The server does not listen:\n${output()}`)
}
