/** How often an address may ask who it is, over HTTP. */
import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { createEvent } from 'h3'
import { expect, it } from 'vitest'
import { readAddress } from '../../../server/http/address.ts'
import { type CallOptions, serveRoutes } from '../../helpers/http-server.ts'

const route = 'GET /api/auth/session'
const from = (forwarded: string): CallOptions => ({ as: 'ann', headers: { 'x-forwarded-for': forwarded } })

// Seen red without the limit, and where the header was believed.
it('has an end, whoever asks and whatever address it claims to have', async () => {
  const { call, meet } = await serveRoutes({ limits: { rateLimits: { session: 60 } } })
  await meet('ben')
  for (let turn = 1; turn < 60; turn++) {
    const answer = await call(route, from(`192.0.2.${turn}`))
    expect(answer.status).toBe(200)
    expect(answer.headers.get('x-ratelimit-remaining')).toBe(String(59 - turn))
  }
  const refused = await call(route, from('192.0.2.200'))
  expect(refused).toMatchObject({ status: 429, body: { message: expect.stringMatching(/^Rate limit exceeded. Retry after \d+s$/), data: { code: 'RATE_LIMITED', retryable: true } } })
  const seconds = Number(refused.headers.get('retry-after'))
  expect(seconds).toBeGreaterThan(50)
  expect(seconds).toBeLessThanOrEqual(60)
  expect((await call(route)).status, 'also where nobody is signed in').toBe(429)
  expect((await call('GET /api/workspaces', { as: 'ann' })).status, 'other routes know who asks').toBe(200)
})

// Seen red with the first address of the header for the last.
it('counts by what the nearest proxies say where they are set, never by what a client says', async () => {
  const { call } = await serveRoutes({ limits: { rateLimits: { session: 1 }, trustedProxies: 1 } })
  expect((await call(route, from('192.0.2.1'))).status).toBe(200)
  expect((await call(route, from('192.0.2.2'))).status).toBe(200)
  expect((await call(route, from('198.51.100.9, 192.0.2.1'))).status).toBe(429)
})

// Seen red: of 130 rendered pages 70 were signed out.
it('never counts a request from within the process, whatever headers it passes on', () => {
  // As nitro makes one: no connection.
  const request = { headers: { 'x-forwarded-for': '192.0.2.1' }, socket: {}, url: '/', method: 'GET' } as unknown as IncomingMessage
  expect(readAddress(createEvent(request, new ServerResponse(request)), 1)).toBeNull()
})

it('is the address that many places from the end, else the socket\'s, else nobody\'s', () => {
  const eventOf = (header?: string, remoteAddress?: string) => {
    const socket = new Socket()
    Object.defineProperty(socket, 'remoteAddress', { value: remoteAddress })
    const request = new IncomingMessage(socket)
    if (header !== undefined) request.headers['x-forwarded-for'] = header
    return createEvent(request, new ServerResponse(request))
  }
  expect(readAddress(eventOf('a, b, c', 's'), 0)).toBe('s')
  expect(readAddress(eventOf('a, b, c', 's'), 1)).toBe('c')
  expect(readAddress(eventOf('a, b,c', 's'), 2)).toBe('b')
  expect(readAddress(eventOf('a', 's'), 2)).toBe('s')
  expect(readAddress(eventOf(' , ', 's'), 1)).toBe('s')
  expect(readAddress(eventOf(undefined, 's'), 1)).toBe('s')
  expect(readAddress(eventOf('x'.repeat(5_000), 's'), 1)).toHaveLength(64)
  expect(readAddress(eventOf('a'), 0)).toBeNull()
})
