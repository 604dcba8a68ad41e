/**
 * The examples of docs/server-code.md. Seen red: a page that differs from its file, a webhook that pays twice, an answer
 * that comes back after its deletion.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { sql } from 'drizzle-orm'
import { createApp, toWebHandler } from 'h3'
import { beforeAll, expect, it } from 'vitest'
import answerRoute, { streamAnswer } from '../../../docs/examples/answer.ts'
import { markOverdue } from '../../../docs/examples/mark-overdue.ts'
import { notifyOfTodos } from '../../../docs/examples/notify.ts'
import webhook from '../../../docs/examples/payment-webhook.ts'
import { answers, orders, todos } from '../../../docs/examples/tables.ts'
import { registerSyncedTable, removeSyncedRows, syncedRows, writeSyncedRows } from '../../../server/index.ts'
import { useSyncEngine } from '../../../server/layer.ts'
import { serveRoutes } from '../../helpers/http-server.ts'
import { readCodeBlocks } from '../../helpers/markdown.ts'

beforeAll(() => {
  for (const table of [todos, orders, answers]) registerSyncedTable(table)
})

/** The example's route, asked as it would be over HTTP. */
function ask(route: typeof webhook | typeof answerRoute, body: object, headers: Record<string, string> = {}) {
  const handle = toWebHandler(createApp().use(route))
  return handle(new Request('http://test/', {
    method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body),
  }))
}

it('are the files that are run', () => {
  const files = readCodeBlocks('docs/server-code.md').flatMap(({ words, text }) => {
    const file = words.find(word => word.startsWith('file='))?.slice('file='.length)
    return file === undefined ? [] : [[file, text] as const]
  })
  for (const [file, text] of files) {
    expect(text, file).toBe(readFileSync(new URL(`../../../docs/examples/${file}`, import.meta.url), 'utf8'))
  }
  const all = readdirSync(new URL('../../../docs/examples', import.meta.url)).filter(name => name.endsWith('.ts'))
  expect(files.map(([file]) => file).sort()).toEqual(all.sort())
})

it('a job marks what is overdue, on every device', async () => {
  const { meet, post } = await serveRoutes()
  const { workspaceId } = await meet('ann')
  await writeSyncedRows(workspaceId, rows => rows.put(todos,
    { id: 'late', text: 'x', done: false, due_at: 10 }, { id: 'done', text: 'x', done: true, due_at: 10 },
    { id: 'soon', text: 'x', done: false, due_at: 30 }, { id: 'never', text: 'x', done: false },
  ))
  expect(await markOverdue(workspaceId, 20)).toBe(1)
  expect(await markOverdue(workspaceId, 20)).toBe(0)
  const { body } = await post('pull', { scope: { workspaceId }, cursor: 4 })
  expect(body['changes']).toMatchObject([{ pk: 'late', payload: { overdue: true, text: 'x' }, stamp: { clock: 2 } }])
  await removeSyncedRows(todos, workspaceId, ['late', 'unknown'])
  expect((await syncedRows(todos, workspaceId)).rows.map(todo => todo.id)).toEqual(['done', 'never', 'soon'])
})

it('a webhook that comes twice pays once, and one of nobody pays nothing', async () => {
  const { meet, database } = await serveRoutes()
  const { workspaceId } = await meet('ann')
  await database.write(tx => tx.run(sql`create table payments (event_id text primary key, order_id text not null, cents integer not null)`))
  await writeSyncedRows(workspaceId, rows => rows.put(orders, { id: 'o1', status: 'open' }))
  const payment = { id: 'e1', workspaceId, orderId: 'o1', cents: 100 }
  const secret = { 'x-webhook-secret': 'the secret' }
  expect((await ask(webhook, payment)).status).toBe(401)
  for (let times = 0; times < 2; times++) expect((await ask(webhook, payment, secret)).status).toBe(200)
  expect((await syncedRows(orders, workspaceId)).rows).toEqual([{ id: 'o1', status: 'paid' }])
  expect(await database.read.all(sql`select (select count(*) from payments) as payments, (select head from logs) as head`))
    .toEqual([{ payments: 1, head: 2 }])
})

it('an answer streams in for members alone, breaks off visibly, and stays deleted', async () => {
  const { meet } = await serveRoutes()
  const { workspaceId } = await meet('ann')
  expect((await ask(answerRoute, { workspaceId, prompt: 'Hi' }, { 'x-user': 'bob' })).status).toBe(403)
  const response = await ask(answerRoute, { workspaceId, prompt: 'Hi' }, { 'x-user': 'ann' })
  const { id } = await response.json() as { id: string }
  const read = async () => (await syncedRows(answers, workspaceId)).rows
  await expect.poll(read).toEqual([{ id, text: 'You asked: Hi', pending: false }])
  async function* breaking() {
    yield 'Half'
    throw new Error('The model is gone.')
  }
  await streamAnswer(workspaceId, id, breaking())
  expect(await read()).toEqual([{ id, text: 'Half', pending: false, error: 'The answer broke off.' }])
  await removeSyncedRows(answers, workspaceId, [id])
  await streamAnswer(workspaceId, id, breaking())
  expect(await read()).toEqual([])
})

it('a hook is told of what was applied', async () => {
  const { meet } = await serveRoutes()
  const { workspaceId } = await meet('ann')
  const engine = await useSyncEngine()
  const told: string[] = []
  notifyOfTodos({ hooks: { hook: (_name, listener) => engine.onApplied(listener) } }, text => told.push(text))
  await writeSyncedRows(workspaceId, rows => rows.put(todos, { id: 'a', text: 'x', done: false }))
  await writeSyncedRows(workspaceId, rows => rows.put(todos, { id: 'a', text: 'y', done: false }))
  await new Promise(setImmediate)
  expect(told).toEqual([`New to-do a in ${workspaceId}`])
})
