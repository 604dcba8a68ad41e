/**
 * `npm run bench:http [-- --json] [--quick]`: the built playground over HTTP, clients on the same machine, at
 * `synchronous=FULL`. Latencies are the clients' own, so they hold the network stack and the wait for a turn.
 */
import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { cpus } from 'node:os'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { startServer } from '../../.playground/demo/server.ts'
import { readRssMb } from '../helpers/memory.ts'
import { makeOp } from './implementation.ts'

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } } })
const seconds = values.quick ? 2 : 10
const agent = new Agent({ keepAlive: true, maxSockets: 128 })

process.env['NUXT_OR3_SQLITE_LIMITS_RATE_LIMITS'] = 'false'
// All clients are one user.
process.env['NUXT_OR3_SQLITE_LIMITS_MAX_USER_REQUESTS_IN_FLIGHT'] = '128'
const startedAt = performance.now()
const server = await startServer()
const results: Record<string, object> = { start: { ms: round(performance.now() - startedAt) } }
try {
  const session = JSON.parse((await call('GET', '/api/auth/session')).toString()) as { session: { workspace: { id: string } } }
  const scope = { workspaceId: session.session.workspace.id }
  /** More than will be sent, made before: the clients are to leave the two cores to the server. */
  const pushesOf = (size: number, callsPerSecond: number) => {
    const bodies = Array.from({ length: callsPerSecond * seconds }, () =>
      Buffer.from(JSON.stringify({ scope, ops: Array.from({ length: size }, () => makeOp()) })))
    return () => {
      const body = bodies.pop()
      if (!body) throw new Error(`More than ${callsPerSecond} pushes a second: prepare more`)
      return ['/api/sync/push', body] as const
    }
  }

  results['push100x16'] = await load(16, 100, pushesOf(100, 500))
  results['push1x1'] = await load(1, 1, pushesOf(1, 5_000))
  results['push1x64'] = await load(64, 1, pushesOf(1, 15_000))
  let cursor = 0
  results['pull500'] = await load(1, 500, () => {
    cursor = (cursor + 500) % 20_000
    return ['/api/sync/pull', { scope, cursor, limit: 500 }] as const
  })
  const { serverVersion: head } = JSON.parse((await call('POST', '/api/sync/push', { scope, ops: [] })).toString()) as { serverVersion: number }
  results['idlePoll'] = await load(1, 1, () => ['/api/sync/pull', { scope, cursor: head, limit: 500 }] as const)
  results['memory'] = { rssMb: readRssMb(server.pid), logRows: head }
}
finally {
  agent.destroy()
  await server.stop()
}

const machine = `${cpus()[0]?.model.trim()} × ${cpus().length}, Node ${process.version}, synchronous=FULL, payload about 600 bytes`
process.stdout.write(values.json
  ? `${JSON.stringify({ machine, http: results })}\n`
  : `${machine}\n${Object.entries(results).map(([name, figures]) => `${name.padEnd(12)} ${JSON.stringify(figures)}`).join('\n')}\n`)

/** `clients` send one request after the other for some seconds. */
async function load(clients: number, opsPerCall: number, nextRequest: () => readonly [path: string, body: object]) {
  const calls: number[] = []
  const until = performance.now() + seconds * 1000
  const beganAt = performance.now()
  await Promise.all(Array.from({ length: clients }, async () => {
    while (performance.now() < until) {
      const [path, body] = nextRequest()
      const sentAt = performance.now()
      await call('POST', path, body)
      calls.push(performance.now() - sentAt)
    }
  }))
  const took = performance.now() - beganAt
  calls.sort((a, b) => a - b)
  return {
    p50Ms: round(calls[Math.floor(calls.length / 2)]!),
    p99Ms: round(calls[Math.floor(calls.length * 0.99)]!),
    opsPerSec: Math.round(calls.length * opsPerCall / took * 1000),
  }
}

function call(method: string, path: string, body?: object): Promise<Buffer> {
  const text = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body))
  return new Promise((resolve, reject) => {
    const headers = { 'x-demo-user': 'bench', 'content-type': 'application/json', 'x-request-id': randomUUID(), ...text && { 'content-length': text.length } }
    const sent = request(new URL(path, server.url), { method, agent, headers }, (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const whole = Buffer.concat(chunks)
        if (answer.statusCode === 200) resolve(whole)
        else reject(new Error(`${method} ${path}: ${answer.statusCode} ${whole.toString().slice(0, 300)}`))
      })
    })
    sent.on('error', reject)
    sent.end(text)
  })
}

function round(value: number): number {
  return Number(value.toPrecision(3))
}
