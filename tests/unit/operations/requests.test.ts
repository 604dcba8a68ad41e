import { createError, type H3Event } from 'h3'
import { expect, it, vi } from 'vitest'
import { logFailure } from '../../../server/http/requests.ts'

const logged = await vi.hoisted(async () => {
  const { consola } = await import('consola')
  const logged: { message: string }[] = []
  consola.mockTypes(() => (entry: { message: string }) => void logged.push(entry))
  return logged
})

// Seen red: a second line, in whatever words and colour the client wanted.
it('writes one line of a path, whatever stands in it', () => {
  const event = { path: '/api/workspaces/\n\u001b[31m[or3-sync] ERROR\r\u2028\u202e\u0000x?token=secret', method: 'PATCH', node: { req: {}, res: { getHeader: () => 'id-1' } } } as unknown as H3Event
  logFailure(createError({ statusCode: 503 }), event)
  expect(logged.map(entry => entry.message)).toEqual(['PATCH /api/workspaces/%0A%1B[31m[or3-sync] ERROR%0D%E2%80%A8%E2%80%AE%00x failed with 503'])
})
