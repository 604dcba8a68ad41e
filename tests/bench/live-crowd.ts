/** A crowd of devices in one workspace: some hundred people with sixteen devices each, on raw connections. */
import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { DatabaseSync } from 'node:sqlite'
import { makeOp } from './implementation.ts'

export interface Crowd {
  readonly workspaceId: string
  /** Opens so many streams in all, a hundred at a time. */
  listen(count: number): Promise<void>
  /** Closes all but so many. */
  keep(count: number): Promise<void>
  /** Calls `heard` with the milliseconds from a push to each hint of it. */
  onHint(heard: (ms: number) => void): void
  push(): Promise<number>
  /** `devices` ask for changes every `ms`, spread evenly. */
  pollEach(ms: number, devices: number): { requests(): number, stop(): Promise<void> }
}

const devicesPerUser = 16

/** The people of a crowd, as members of one workspace: to be made while the server is there, and added while it is not. */
export interface People { users: string[], workspaceId: string, userIds: string[] }

/** Signs so many people in that each of `listeners` devices has its place. */
export async function meetPeople(url: string, listeners: number): Promise<People> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const users = Array.from({ length: Math.ceil(listeners / devicesPerUser) }, (_, index) => `person-${index}`)
  const sessions = await Promise.all(users.map(user => send<SessionAnswer>(agent, new URL('/api/auth/session', url), 'GET', user)))
  agent.destroy()
  return { users, workspaceId: sessions[0]!.session.workspace.id, userIds: sessions.map(({ session }) => session.user.id) }
}

interface SessionAnswer { session: { user: { id: string }, workspace: { id: string } } }

/** Makes all of them members of the first one's workspace. The server must be stopped. */
export function addMembers(path: string, { workspaceId, userIds }: People): void {
  const database = new DatabaseSync(path)
  const insert = database.prepare('insert or ignore into workspace_members (workspace_id, user_id, role, created_at) values (?, ?, ?, 0)')
  for (const userId of userIds) insert.run(workspaceId, userId, 'editor')
  database.close()
}

/** Their devices. */
export function createCrowd(url: string, { users, workspaceId }: People): Crowd {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const owner = users[0]!
  const call = <T>(method: string, path: string, user: string, body?: object) => send<T>(agent, new URL(path, url), method, user, body)
  const scope = { workspaceId }
  const sockets: Socket[] = []
  const sentAt = new Map<number, number>()
  let heard: ((ms: number) => void) | undefined
  let head = 0

  const open = (index: number) => new Promise<void>((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    sockets.push(socket)
    socket.write(`GET /api/sync/live?workspaceId=${workspaceId} HTTP/1.1\r\nhost: ${hostname}\r\nx-demo-user: ${users[index % users.length]}\r\n\r\n`)
    let isOpen = false
    socket.on('error', reject)
    socket.on('data', (chunk: Buffer) => {
      const now = performance.now()
      const text = chunk.toString('latin1')
      if (!isOpen && !text.startsWith('HTTP/1.1 200')) return reject(new Error(text.slice(0, 400)))
      if (!isOpen) resolve()
      isOpen = true
      for (const [, version] of text.matchAll(/event: head\ndata: \{"head":(\d+)/g)) {
        const at = sentAt.get(Number(version))
        if (at !== undefined) heard?.(now - at)
      }
    })
  })
  const poll = (index: number) => call('POST', '/api/sync/pull', users[index % users.length]!, { scope, cursor: head, limit: 100 })

  return {
    workspaceId,
    async listen(count) {
      while (sockets.length < count) {
        const from = sockets.length
        await Promise.all(Array.from({ length: Math.min(100, count - from) }, (_, index) => open(from + index)))
      }
    },
    async keep(count) {
      for (const socket of sockets.splice(count)) socket.destroy()
      await new Promise(resolve => setTimeout(resolve, 500))
    },
    onHint: listener => void (heard = listener),
    async push() {
      const startedAt = performance.now()
      sentAt.set(head + 1, startedAt)
      const { serverVersion } = await call<{ serverVersion: number }>('POST', '/api/sync/push', owner, { scope, ops: [makeOp()] })
      head = serverVersion
      return performance.now() - startedAt
    },
    pollEach(ms, devices) {
      let requests = 0
      const running = new Set<Promise<unknown>>()
      // One timer for all: what is measured is the server.
      const startedAt = performance.now()
      const timer = setInterval(() => {
        const due = Math.floor((performance.now() - startedAt) / ms * devices)
        for (; requests < due; requests++) {
          const one = poll(requests).finally(() => running.delete(one))
          running.add(one)
        }
      }, 10)
      return {
        requests: () => requests,
        async stop() {
          clearInterval(timer)
          await Promise.all(running)
        },
      }
    },
  }
}

/** Twenty single pushes a second: how long each took. */
export async function measurePushes(crowd: Crowd, seconds: number): Promise<number[]> {
  const took: number[] = []
  const startedAt = performance.now()
  for (let count = 0; count < seconds * 20; count++) {
    const waitMs = startedAt + count * 50 - performance.now()
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs))
    took.push(await crowd.push())
  }
  await new Promise(resolve => setTimeout(resolve, 300))
  return took
}

/** The middle and the hundredth slowest, in milliseconds. */
export function summarize(values: number[]): { p50Ms: number, p99Ms: number } {
  if (values.length === 0) throw new Error('Nothing was measured.')
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number) => Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!.toPrecision(3))
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

function send<T>(agent: Agent, url: URL, method: string, user: string, body?: object): Promise<T> {
  const text = body && JSON.stringify(body)
  const headers = {
    'x-demo-user': user, 'x-request-id': randomUUID(),
    ...text && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
  }
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent, headers }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const whole = Buffer.concat(chunks).toString()
        if (answer.statusCode === 200) resolve(JSON.parse(whole) as T)
        else reject(new Error(`${method} ${url.pathname}: ${answer.statusCode} ${whole.slice(0, 300)}`))
      })
    })
    sent.on('error', reject)
    sent.end(text)
  })
}
