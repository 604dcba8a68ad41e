/** The HTTP transport against a real server of Node. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHttpTransport, TransportError } from '../../../client/index.ts'

let answer: { status: number, headers?: Record<string, string> | undefined, body: string } = { status: 200, body: '{}' }
let seen: { url?: string | undefined, headers: Record<string, unknown>, body: string } | undefined
let baseUrl = ''

const server = createServer((request, response) => {
  let body = ''
  request.on('data', chunk => (body += chunk))
  request.on('end', () => {
    seen = { url: request.url, headers: request.headers, body }
    response.writeHead(answer.status, answer.headers).end(answer.body)
  })
})

beforeAll(async () => {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(() => new Promise(resolve => server.close(resolve)))

const pull = (url = baseUrl) =>
  createHttpTransport({ baseUrl: url, headers: { 'x-demo-user': 'me' } }).pull({
    scope: { workspaceId: 'w' },
    cursor: 0,
    limit: 5,
  })

describe('the HTTP transport', () => {
  it('posts JSON with the given headers', async () => {
    answer = { status: 200, body: '{"changes":[],"nextCursor":3,"hasMore":false}' }
    expect(await pull(`${baseUrl}/`)).toEqual({ changes: [], nextCursor: 3, hasMore: false })
    expect(seen).toMatchObject({
      url: '/api/sync/pull',
      headers: { 'x-demo-user': 'me', 'content-type': 'application/json' },
    })
    expect(JSON.parse(seen!.body)).toEqual({ scope: { workspaceId: 'w' }, cursor: 0, limit: 5 })
  })

  it('tells status, code, words and waiting time of a refusal', async () => {
    const body = JSON.stringify({
      statusCode: 429,
      message: 'Rate limit exceeded. Retry after 12s',
      data: { code: 'RATE_LIMITED' },
    })
    for (const headers of [{ 'retry-after': '12' }, undefined]) {
      answer = { status: 429, headers, body }
      const error = await pull().catch((caught: unknown) => caught)
      expect(error).toBeInstanceOf(TransportError)
      expect(error).toMatchObject({ status: 429, code: 'RATE_LIMITED', retryAfterSeconds: 12, message: /Rate limit/ })
    }
  })

  it('takes a page of HTML for a refusal, whatever its status', async () => {
    answer = { status: 200, body: '<!doctype html>' }
    await expect(pull()).rejects.toMatchObject({ name: 'TransportError', status: 502 })
    answer = { status: 502, body: '<h1>Bad gateway</h1>' }
    await expect(pull()).rejects.toMatchObject({ status: 502, message: 'Bad Gateway' })
  })

  it('has status 0 for a server that is not there', async () => {
    await expect(pull('http://127.0.0.1:1')).rejects.toMatchObject({ status: 0, code: 'NETWORK_ERROR' })
  })
})
