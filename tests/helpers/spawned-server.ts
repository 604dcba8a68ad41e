/** The layer in a process of its own, without a build: what happens to its file, and to whom it belongs, is the test's. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'
import type { PushResult } from '../../shared/protocol.ts'
import { makeOneFile } from './one-file.ts'
import { putOf } from './sync.ts'

export interface SpawnOptions {
  env?: Record<string, string>
  /** The server is started by this command, such as `unshare --mount sh -c '…; exec "$@"' sh`. */
  through?: readonly string[]
}

export interface SpawnedServer {
  url: string
  pid: number
  output(): string
  /** The status and code of a push of one row; a code is undefined where it was accepted. */
  push(pk: string, bytes?: number): Promise<{ status: number, code: string | undefined }>
  pull(): Promise<{ status: number, pks: string[] }>
  health(): Promise<{ status: number, body: Record<string, unknown> }>
  stop(signal?: NodeJS.Signals): Promise<void>
}

const program = new URL('../faults/rooms-server.ts', import.meta.url)
const headers = { 'content-type': 'application/json', 'x-demo-user': 'ada' }
const scope = { workspaceId: 'workspace-of-ada' }

/** Starts a server on the file; a string is what one said that refused to start. */
export async function spawnServer(dbPath: string, { env = {}, through = [] }: SpawnOptions = {}): Promise<SpawnedServer | string> {
  const [command, ...args] = [...through, process.execPath, '--no-warnings', makeOneFile(program)]
  const child = spawn(command!, args, { env: { ...process.env, ...env, OR3_SQLITE_DB_PATH: dbPath }, stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => printed += chunk.toString())
  const ended = once(child, 'close')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const url = await findUrl(child, ended, () => printed)
  if (url === undefined) return printed.trim()
  const post = (path: string, body: object) => fetch(new URL(path, url), { method: 'POST', headers, body: JSON.stringify(body) })
  return {
    url, pid: child.pid!,
    output: () => printed,
    async push(pk, bytes = 10) {
      const ops = [putOf(pk, { tableName: 'kv', payload: { id: pk, name: pk, value: 'x'.repeat(bytes), deleted: false, created_at: 1, updated_at: 1, clock: 1 } })]
      const response = await post('/api/sync/push', { scope, ops })
      const body = await response.json() as PushResult & { code?: string }
      return { status: response.status, code: response.ok ? body.results[0]!.errorCode : body.code }
    },
    async pull() {
      const response = await post('/api/sync/pull', { scope, cursor: 0, limit: 1000 })
      const { changes = [] } = await response.json() as { changes?: { pk: string }[] }
      return { status: response.status, pks: changes.map(({ pk }) => pk) }
    },
    async health() {
      const response = await fetch(new URL('/api/health', url))
      return { status: response.status, body: await response.json() as Record<string, unknown> }
    },
    async stop(signal = 'SIGTERM') {
      child.kill(signal)
      await ended
    },
  }
}

/** As `spawnServer`, where it must start. */
export async function requireServer(dbPath: string, options?: SpawnOptions): Promise<SpawnedServer> {
  const server = await spawnServer(dbPath, options)
  if (typeof server === 'string') throw new Error(`The server did not start: ${server}`)
  return server
}

async function findUrl(child: ChildProcess, ended: Promise<unknown>, output: () => string): Promise<string | undefined> {
  let over = false
  void ended.then(() => over = true)
  while (!over) {
    const url = /Listening on (http:\S+)/.exec(output())?.[1]
    if (url) return url
    await Promise.race([once(child.stdout!, 'data'), once(child.stderr!, 'data'), ended])
  }
  return undefined
}
