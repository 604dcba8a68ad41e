/**
 * What a later host has the layer do beside sync: rate limits and background jobs that a crash does not touch.
 * Seen red: neither registry bound.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Served } from './checks.ts'
import { createClient, readAnswer } from './client.ts'

interface Job { id: string, status: string, content: string, attempts: number, leaseOwner?: string }

export function itKeepsLimitsAndJobs({ server, crash, header }: Served): void {
  const somebody = () => createClient({ fetch: (path, init) => server().fetch(path, init) }, header, `user-${randomUUID()}`)

  it('counts requests durably: a crash gives nobody a new allowance', async () => {
    const [ada, bob] = [somebody(), somebody()]
    const knock = async (who = ada) => (await who.request('/api/knock', { method: 'POST' })).status
    expect([await knock(), await knock(), await knock()]).toEqual([200, 200, 429])
    await crash()
    expect([await knock(), await knock(bob)]).toEqual([429, 200])
    const refused = await ada.request('/api/knock', { method: 'POST' })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30)
    expect(await refused.text()).toContain('Rate limit exceeded. Retry after')
  })

  it('keeps a job through a crash of the server and of its worker, and ends it once', async () => {
    const ada = somebody()
    const admission = { threadId: 't', messageId: 'm', idempotencyKey: randomUUID() }
    const post = async <T>(path: string, body: object) => readAnswer<T>(await ada.request(path, { body }))
    const { id } = await post<{ id: string }>('/api/jobs', admission)
    const claim = async (worker: string, leaseMs: number) => (await post<{ job: Job | null }>('/api/jobs/claim', { worker, leaseMs })).job
    expect(await claim('first', 4_000)).toMatchObject({ id, attempts: 1 })
    const leaseEnd = Date.now() + 4_000

    await crash()
    expect(await post('/api/jobs', admission)).toEqual({ id })
    if (Date.now() < leaseEnd - 200) expect(await claim('second', 60_000)).toBeNull()
    await sleep(Math.max(0, leaseEnd - Date.now() + 50))
    expect(await claim('second', 60_000)).toMatchObject({ id, attempts: 2 })
    const complete = async (worker: string) => (await ada.request(`/api/jobs/${id}/complete`, { body: { worker, content: `by ${worker}` } })).status
    expect([await complete('first'), await complete('second')]).toEqual([409, 200])
    const read = async (who = ada) => (await readAnswer<{ job: Job | null }>(await who.request(`/api/jobs/${id}`))).job
    expect([await read(), await read(somebody())]).toEqual([expect.objectContaining({ status: 'complete', content: 'by second' }), null])
  })

  it('keeps the end of a generation through a crash until the host has written it into its history', async () => {
    const ada = somebody()
    const post = async <T>(path: string, body: object) => readAnswer<T>(await ada.request(path, { body }))
    const { id } = await post<{ id: string }>('/api/jobs', { threadId: 't', messageId: 'm' })
    expect(await post(`/api/jobs/${id}/snapshot`, { content: 'the end' })).toEqual({ saved: true })
    await crash()
    const pending = async () => (await readAnswer<{ jobs: Job[] }>(await ada.request('/api/jobs/pending'))).jobs
    expect(await pending()).toMatchObject([{ id, status: 'complete', content: 'the end' }])
    const move = { phase: 'committed', from: ['finalization_pending'] }
    expect([await post(`/api/jobs/${id}/phase`, move), await post(`/api/jobs/${id}/phase`, move)]).toEqual([{ changed: true }, { changed: false }])
    expect(await pending()).toEqual([])
  })
}
