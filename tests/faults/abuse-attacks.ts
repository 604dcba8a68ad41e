/**
 * What one client does to the server in the run `abuse`, at the size of seconds. An attack that is refused goes on until
 * its time is over; what it meets is its own matter. All of them ask from this machine only.
 */
import { randomUUID } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Target {
  url: string
  /** The attacker and their workspace. */
  user: string
  workspaceId: string
  /** On the monotonic clock: when the attack ends. */
  until: number
}

export type Attack = (target: Target) => Promise<void>

const mebibyte = 2 ** 20

/** 1 and 6: large bodies of deep or wide JSON under a key that nobody knows, many at once. */
const deepBodies: Attack = target => repeat(target, 8, async () => {
  const junk = '[['.repeat(4_000_000) + ']]'.repeat(4_000_000)
  await push(target, `{"scope":{"workspaceId":"${target.workspaceId}"},"ops":[{"junk":${junk}}]}`)
})

const wideBodies: Attack = target => repeat(target, 8, async () => {
  await push(target, `{"scope":{"workspaceId":"${target.workspaceId}"},"junk":[${'{},'.repeat(5_000_000)}{}],"ops":[]}`)
})

/** 2 and 4: requests one after the other on a connection, whose answers are not read. */
const unreadAnswers: Attack = target => repeat(target, 20, async () => {
  const line = `GET /api/workspaces HTTP/1.1\r\nhost: x\r\nx-demo-user: ${target.user}\r\n\r\n`
  await holdSocket(target, line.repeat(3_000), 1_000)
})

const unreadHealth: Attack = target => repeat(target, 20, async () => {
  await holdSocket(target, 'GET /api/health HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(3_000), 1_000)
})

/** 3: small pushes that lose against large rows, whose answers are not read. */
const unreadWinners: Attack = async (target) => {
  const pks = Array.from({ length: 8 }, (_, index) => `winner-${index}`)
  await push(target, JSON.stringify({ scope: scopeOf(target), ops: pks.map(pk => opOf(pk, 'x'.repeat(250_000), 1_000)) }))
  await repeat(target, 40, async () => {
    const body = JSON.stringify({ scope: scopeOf(target), ops: pks.map(pk => opOf(pk, 'small', 1)) })
    await holdSocket(target, requestOf(target, body), 2_000)
  })
}

/** 5: bodies that stop before their last bytes. */
const stalledBodies: Attack = target => repeat(target, 60, async () => {
  const length = 16 * mebibyte
  const head = requestOf(target, '').replace('content-length: 0', `content-length: ${length}`)
  await holdSocket(target, head + ' '.repeat(length - 10), 3_000)
})

/** 7: valid ops of nested arrays, then everything read back. */
const nestedOps: Attack = async (target) => {
  const nested = JSON.parse(`[${'[],'.repeat(80_000)}[]]`) as unknown
  const body = () => JSON.stringify({ scope: scopeOf(target), ops: Array.from({ length: 50 }, () => opOf(randomUUID(), nested, 1)) })
  await repeat(target, 1, async () => {
    await push(target, body())
    await call(target, '/api/sync/pull', JSON.stringify({ scope: scopeOf(target), cursor: 0, limit: 1_000 }))
    await call(target, '/api/sync/snapshot', JSON.stringify({ scope: scopeOf(target), pageSize: 1_000 }))
  })
}

/** 8: fills the workspace. */
const fillDisk: Attack = target => repeat(target, 2, async () => {
  const ops = Array.from({ length: 60 }, () => opOf(randomUUID(), 'x'.repeat(250_000), 1))
  await push(target, JSON.stringify({ scope: scopeOf(target), ops }))
})

/** 13: a new device with every request. */
const manyDevices: Attack = target => repeat(target, 4, async () => {
  await call(target, '/api/sync/update-cursor', JSON.stringify({ scope: scopeOf(target), deviceId: randomUUID(), version: 0 }))
})

/** 16: a chunked body that goes on after it was refused. */
const endlessBodies: Attack = target => repeat(target, 4, async () => {
  const head = 'POST /api/sync/push HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n'
  const chunk = `100000\r\n${' '.repeat(mebibyte)}\r\n`
  await withSocket(target, async (socket, isOpen) => {
    socket.write(head)
    while (isOpen() && performance.now() < target.until) {
      if (!socket.write(chunk)) await sleep(1)
    }
  })
})

export const attacks: Record<string, Attack> = {
  deepBodies, wideBodies, unreadAnswers, unreadHealth, unreadWinners, stalledBodies, nestedOps, fillDisk, manyDevices, endlessBodies,
}

function scopeOf({ workspaceId }: Target) {
  return { workspaceId }
}

function opOf(pk: string, value: unknown, clock: number) {
  const payload = { id: pk, name: 'n', value, created_at: 1, updated_at: 1, clock }
  return { tableName: 'kv', operation: 'put', pk, payload, stamp: { deviceId: 'attacker', opId: randomUUID(), hlc: 'h', clock } }
}

/** `count` loops at once until the time is over; what fails is tried again. */
async function repeat({ until }: Target, count: number, once: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, async () => {
    while (performance.now() < until) {
      await once().catch(() => {})
      await sleep(5)
    }
  }))
}

function push(target: Target, body: string) {
  return call(target, '/api/sync/push', body)
}

async function call({ url, user, until }: Target, path: string, body: string): Promise<void> {
  const signal = AbortSignal.timeout(Math.max(1, until - performance.now() + 1_000))
  const headers = { 'x-demo-user': user, 'content-type': 'application/json' }
  const response = await fetch(new URL(path, url), { method: 'POST', headers, body, signal })
  await response.arrayBuffer()
}

function requestOf({ user }: Target, body: string): string {
  return `POST /api/sync/push HTTP/1.1\r\nhost: x\r\nx-demo-user: ${user}\r\ncontent-length: ${body.length}\r\n\r\n${body}`
}

/** Sends `text`, reads nothing, and keeps the connection for `ms` or until the server ends it. */
function holdSocket(target: Target, text: string, ms: number): Promise<void> {
  return withSocket(target, async (socket, isOpen) => {
    socket.write(text)
    const end = Math.min(target.until, performance.now() + ms)
    while (isOpen() && performance.now() < end) await sleep(20)
  })
}

async function withSocket({ url }: Target, work: (socket: Socket, isOpen: () => boolean) => Promise<void>): Promise<void> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  let isOpen = true
  socket.on('close', () => isOpen = false).on('error', () => isOpen = false).pause()
  try {
    await work(socket, () => isOpen)
  }
  finally {
    socket.destroy()
  }
}
