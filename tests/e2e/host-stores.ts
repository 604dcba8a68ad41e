/**
 * What later hosts keep with the layer beside sync: webhooks and OR3 Connect. Both hold through a kill of the server,
 * and the host never opens the database file by itself.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it, onTestFinished, vi } from 'vitest'
import { type RunningServer, runToEnd, startServer } from '../helpers/server.ts'
import { putOf } from '../helpers/sync.ts'
import { type Client, createClient, readAnswer } from './client.ts'

export interface BuiltHost { output: () => string, header: string }

interface Delivery { id: string, status: string, attempt: number, request_payload: string }

const webhooksOn = {
  NUXT_WEBHOOKS_ENABLED: 'true', NUXT_WEBHOOKS_ENCRYPTION_KEY: 'a key', NUXT_WEBHOOKS_STALE_MS: '1000',
}

/** Declares the tests for one build of the fixture host. */
export function itKeepsStores({ output, header }: BuiltHost): void {
  async function setUp(env: Record<string, string>) {
    const folder = await mkdtemp(join(tmpdir(), 'or3-e2e-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const dbPath = join(folder, 'sync.db')
    const start = (more: Record<string, string> = {}) => startServer({
      output: output(), dbPath, env: { ...env, ...more },
    })
    const as = (server: RunningServer) => createClient(server, header, 'ada')
    return { dbPath, start, as }
  }
  const deliveriesOf = async (client: Client, id: string) =>
    (await readAnswer<{ deliveries: Delivery[] }>(await client.request(`/api/webhooks/${id}/deliveries`))).deliveries

  it('delivers a webhook once for a thread that a device pushes, through a kill in the middle', async () => {
    const { start, as } = await setUp(webhooksOn)
    const receiver = await startReceiver()
    const first = await start()
    const ada = as(first)
    const workspaceId = await ada.workspaceId()
    const { id } = await readAnswer<{ id: string }>(await ada.request('/api/webhooks', {
      body: { url: receiver.url, events: ['thread.created'] },
    }))
    const thread = putOf('t1', { tableName: 'threads' })
    receiver.answer = () => {}
    await ada.push(workspaceId, [thread])
    await vi.waitFor(() => expect(receiver.taken).toHaveLength(1), 5_000)
    expect(await deliveriesOf(ada, id)).toMatchObject([{ status: 'in_flight' }])
    await first.kill()

    receiver.answer = response => void response.end('thanks')
    const second = await start()
    const again = as(second)
    await again.push(workspaceId, [thread])
    await vi.waitFor(
      async () => expect(await deliveriesOf(again, id)).toMatchObject([{ status: 'success', attempt: 1 }]), 10_000,
    )
    await new Promise(resolve => setTimeout(resolve, 1_500))
    expect(await deliveriesOf(again, id), 'and no other, also not for the push that came again').toHaveLength(1)
    expect(receiver.taken.map(({ delivery }) => delivery)).toEqual([
      receiver.taken[0]!.delivery, receiver.taken[0]!.delivery,
    ])
    expect(receiver.answered).toBe(1)
    expect(JSON.parse(receiver.taken[1]!.body)).toMatchObject({
      type: 'thread.created', data: { id: 't1', workspace_id: workspaceId },
    })
    await second.stop()
  }, 60_000)

  // Seen red, and here each time, where the host takes no store of the layer's.
  it('never has the host open the database file by itself', async () => {
    const { dbPath, start, as } = await setUp(webhooksOn)
    const server = await start()
    await as(server).push(await as(server).workspaceId(), [putOf('t', { tableName: 'threads' })])
    expect(await readAnswer(await server.fetch('/api/webhooks/state'))).toEqual({
      ids: ['sqlite'], hasOpenedFile: false,
    })
    expect(server.output()).not.toContain('opened the database file by itself')
    await server.stop()
    expect(tablesOf(dbPath)).not.toContain('webhook_registrations')

    const control = await setUp({ ...webhooksOn, NUXT_WEBHOOKS_FORGETS_STORES: 'true' })
    const forgetful = await control.start()
    // The layer finds the host's tables in its file, and does not serve beside them.
    await vi.waitFor(() => expect(forgetful.output()).toContain('it is another application\'s database'), 10_000)
    expect(forgetful.output()).toContain('opened the database file by itself')
  }, 60_000)

  it('connects a device: its credential is there after a kill, and the limit is told by its code', async () => {
    const { start, as } = await setUp({ NUXT_CONNECT_ENABLED: 'true' })
    const first = await start()
    const ada = as(first)
    await ada.workspaceId()
    const [device, environment] = [randomUUID(), randomUUID()]
    const ask = async (client: Client, name: string) => client.request('/api/connect/ask', {
      body: { device: name, user: `user ${name}` },
    })
    const approve = (client: Client, name: string, limit: number) =>
      client.request('/api/connect/approve', {
        body: { user: `user ${name}`, environment: name === device ? environment : name, limit },
      })
    await readAnswer(await ask(ada, device))
    expect(await readAnswer(await approve(ada, device, 1))).toEqual({ environment_id: environment })
    const again = await approve(ada, device, 9)
    expect([again.status, await again.text()]).toEqual([409, expect.stringContaining('authorization_unavailable')])
    await first.kill()

    const second = await start()
    const { authorization } = await readAnswer<{ authorization: object }>(
      await as(second).request('/api/connect/poll', { body: { device } }),
    )
    expect(authorization).toMatchObject({ status: 'approved', credential_ciphertext: `credential ${environment}` })
    await readAnswer(await ask(as(second), 'other'))
    const refused = await approve(as(second), 'other', 1)
    expect([refused.status, await refused.text()]).toEqual([409, expect.stringContaining('environment_limit_reached')])
    await second.stop()
  }, 60_000)

  it('does not start with Connect on and another store selected', async () => {
    const { dbPath } = await setUp({})
    const ending = await runToEnd({
      output: output(), dbPath, env: { NUXT_CONNECT_ENABLED: 'true', NUXT_CONNECT_PROVIDER: 'missing' },
    })
    expect([ending.code === 0, ending.output]).toEqual([
      false, expect.stringContaining('No OR3 Connect store "missing" is registered'),
    ])
  }, 60_000)
}

function tablesOf(path: string): unknown[] {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    return database.prepare(`select name from sqlite_master where type = 'table'`).all().map(({ name }) => name)
  }
  finally {
    database.close()
  }
}

interface Receiver {
  url: string
  taken: { delivery: string, body: string }[]
  answered: number
  answer: (response: ServerResponse) => void
}

/** Takes deliveries; what `answer` leaves open hangs. */
async function startReceiver(): Promise<Receiver> {
  const receiver: Receiver = { url: '', taken: [], answered: 0, answer: () => {} }
  const server = createServer((request, response) => void take(request, response))
  async function take(request: IncomingMessage, response: ServerResponse) {
    const body = await request.toArray()
    receiver.taken.push({
      delivery: String(request.headers['x-delivery']), body: Buffer.concat(body as Buffer[]).toString(),
    })
    response.on('finish', () => receiver.answered++)
    receiver.answer(response)
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return receiver
}
