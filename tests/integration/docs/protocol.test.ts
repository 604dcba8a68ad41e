/**
 * Every example of docs/protocol.md against a real server. Seen red: a receipt without `retryable`, a pull that ignores
 * an unknown table, a tiny client whose clock stays at 1, or that keeps its rows over a snapshot.
 */
import assert from 'node:assert/strict'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { registerSyncedTable } from '../../../server/sync/tables.ts'
import { createHybridClock, createNode, defineSyncedTable } from '../../../shared/index.ts'
import { createTinyClient } from '../../helpers/tiny-client.ts'
import { serveRoutes } from '../../helpers/http-server.ts'
import { type CodeBlock, readCodeBlocks } from '../../helpers/markdown.ts'
import { deleteOf, putOf } from '../../helpers/sync.ts'

registerSyncedTable(defineSyncedTable('todos', {
  primaryKey: 'id', schema: z.looseObject({ id: z.string(), text: z.string(), done: z.boolean() }),
}))

const page = 'docs/protocol.md'
const globals = { assert, createTinyClient, createHybridClock, createNode }

it('runs every example, in the order of the page', async () => {
  const { origin, call, meet } = await serveRoutes()
  const { workspaceId } = await meet('ann')
  const blocks = readCodeBlocks(page)
  const ran = new Set<CodeBlock>()
  for (const [index, block] of blocks.entries()) {
    if (!block.words.includes('run')) continue
    ran.add(block)
    const text = block.text.replaceAll('WORKSPACE', workspaceId)
    if (block.language !== 'http') {
      await runCode(text, { origin, workspaceId, headers: { 'x-user': 'ann' } })
      continue
    }
    const [route, body] = text.split('\n\n', 2)
    const next = blocks[index + 1]!
    expect(next, `${block.heading} has an answer`).toMatchObject({ language: 'json' })
    expect(next.words[0]).toBe('answer')
    ran.add(next)
    const answer = await call(route!, { as: 'ann', body })
    expect(answer.status, `${block.heading}: ${answer.text}`).toBe(Number(next.words[1] ?? 200))
    const expected = JSON.parse(next.text.replaceAll('WORKSPACE', workspaceId), anyWhereDots) as unknown
    if (answer.status === 200) expect(answer.body, block.heading).toEqual(expected)
    else expect(answer.body, block.heading).toMatchObject(expected as object)
  }
  expect(blocks.filter(block => !ran.has(block)), 'no example is left out').toEqual([])
  expect(ran.size).toBeGreaterThan(12)
})

describe('the tiny client', () => {
  it('is about a hundred lines of plain JavaScript', async () => {
    const { readFileSync } = await import('node:fs')
    const text = readFileSync(new URL('../../../docs/examples/tiny-client.js', import.meta.url), 'utf8')
    expect(text.split('\n').filter(line => line.trim() !== '').length).toBeLessThan(125)
    expect(text).not.toMatch(/\bimport\b/)
  })

  it('keeps edits over a lost connection, a refusal and a snapshot', async () => {
    const { origin, meet, store } = await serveRoutes()
    const { workspaceId, userId } = await meet('ann')
    const headers = { 'x-user': 'ann' }
    const [phone, laptop] = [0, 1].map(() => createTinyClient({ origin, workspaceId, headers }))
    const offline = createTinyClient({ origin: 'http://127.0.0.1:9', workspaceId, headers })
    offline.put('todos', 'a', { id: 'a', text: 'A', done: false })
    await expect(offline.sync()).rejects.toThrow()
    expect(offline.pending).toHaveLength(1)

    phone!.put('todos', 'bad', { id: 'bad', text: 1 })
    for (let index = 0; index < 250; index++) phone!.put('todos', `t${index}`, { id: `t${index}`, text: 'x', done: false })
    await phone!.sync()
    await laptop!.sync()
    expect(phone!.refused).toMatchObject([{ op: { pk: 'bad' }, receipt: { errorCode: 'VALIDATION_ERROR' } }])
    expect([phone!.pending.length, phone!.rowsOf('todos').length, laptop!.rowsOf('todos').length]).toEqual([0, 250, 250])

    laptop!.remove('todos', 't0')
    await laptop!.sync()
    await phone!.sync()
    expect(phone!.rowsOf('todos')).toHaveLength(249)

    const { workspaceId: other } = await store.createWorkspace({ userId, name: 'Other' })
    const elsewhere = createTinyClient({ origin, workspaceId: other, headers })
    await elsewhere.sync()
    expect(elsewhere.rowsOf('todos')).toEqual([])
    const stranger = createTinyClient({ origin, workspaceId, headers: { 'x-user': 'bob' } })
    await expect(stranger.sync()).rejects.toMatchObject({ status: 403, code: 'NOT_A_MEMBER', retryable: false })
  })

  it('behind the horizon takes a snapshot, and loses neither its edit nor a delete', async () => {
    const { origin, meet, database, post } = await serveRoutes()
    const { workspaceId } = await meet('ann')
    const scope = { workspaceId }
    const old = createTinyClient({ origin, workspaceId, headers: { 'x-user': 'ann' }, deviceId: 'old' })
    const todo = (pk: string) => putOf(pk, { tableName: 'todos', payload: { id: pk, text: pk, done: false } })
    await post('push', { scope, ops: [todo('kept'), todo('gone')] })
    await old.sync()
    await post('push', { scope, ops: [deleteOf('gone', { tableName: 'todos', stamp: { clock: 2 } })] })
    // As a clean-up of tombstones leaves it.
    await database.write(tx => tx.run('delete from records where pk = \'gone\''))
    await database.write(tx => tx.run('update logs set horizon = head'))
    old.put('todos', 'mine', { id: 'mine', text: 'mine', done: false })
    await old.sync()
    await old.sync()
    expect(old.pending).toEqual([])
    expect(old.rowsOf('todos').map(row => row.pk).sort()).toEqual(['kept', 'mine'])
  })
})

function anyWhereDots(_key: string, value: unknown): unknown {
  return value === '…' ? expect.anything() : value
}

/** The imports of an example are there already. */
async function runCode(text: string, context: Record<string, unknown>): Promise<void> {
  const all = { ...globals, ...context }
  const body = `return (async () => {${text.replaceAll(/^import .*$/gm, '')}})()`
  await (new Function(...Object.keys(all), body) as (...values: unknown[]) => Promise<void>)(...Object.values(all))
}
