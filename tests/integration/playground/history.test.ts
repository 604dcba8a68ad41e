/** The sample history: reproducible, in the wire format throughout, and as difficult as it claims to be. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { fingerprint } from '../../../.playground/shared/fingerprint.ts'
import { readChatExport } from '../../../.playground/shared/read-export.ts'
import { openDevice } from '../../../.playground/demo/device.ts'
import { chatTables } from '../../../.playground/shared/tables.ts'
import type { JsonObject, PendingOp } from '../../../shared/protocol.ts'
import { nameKeyField } from '../../fixtures/history/recorder.ts'
import { formatHistory, makeHistory } from '../../fixtures/make-history.ts'
import type { ChatExport } from '../../fixtures/make-history.ts'
import { startServer } from '../client/server.ts'

const text = readFileSync(new URL('../../fixtures/history.json', import.meta.url), 'utf8')
const history = JSON.parse(text) as ChatExport
const puts = history.ops.flatMap(op => op.operation === 'put' ? [{ ...op, payload: op.payload as JsonObject }] : [])

const TIMES = ['created_at', 'updated_at', 'clock']
const REQUIRED: Record<string, string[]> = {
  threads: ['id', 'status', 'deleted', 'pinned', ...TIMES],
  messages: ['id', 'thread_id', 'role', 'index', 'order_key', 'deleted', 'data', ...TIMES],
  projects: ['id', 'name', 'deleted', 'data', ...TIMES],
  posts: ['id', 'title', 'content', 'post_type', 'deleted', ...TIMES],
  file_meta: ['hash', 'deleted', ...TIMES],
  kv: ['id', 'name', ...TIMES],
  notifications: ['id', 'user_id', 'type', 'title', 'deleted', ...TIMES],
}

function countBy<T>(list: T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of list) groups.set(key(item), [...(groups.get(key(item)) ?? []), item])
  return groups
}

describe('the sample history', () => {
  it('is what its generator makes', () => {
    expect(formatHistory(makeHistory()) === text).toBe(true)
    expect(Buffer.byteLength(text)).toBeLessThan(4 * 1024 * 1024)
  })

  it('holds all tables, thousands of ops and both devices', () => {
    const tables = countBy(history.ops, op => op.tableName)
    expect([...tables.keys()].sort()).toEqual(chatTables.map(({ name }) => name).sort())
    expect(history.ops.length).toBeGreaterThan(3000)
    expect(new Set(tables.get('messages')!.map(op => op.pk)).size).toBeGreaterThan(2000)
    expect(countBy(history.ops, op => op.stamp.deviceId).size).toBe(2)
  })

  it('has every required field in every put, whole seconds, and its key in the payload', () => {
    for (const { tableName, pk, payload, stamp } of puts) {
      const missing = REQUIRED[tableName]!.filter(field => payload[field] === undefined)
      expect({ tableName, pk, missing }).toEqual({ tableName, pk, missing: [] })
      expect(payload).toMatchObject({ [nameKeyField(tableName)]: pk, clock: stamp.clock })
      const times = Object.entries(payload).filter(([field]) => field.endsWith('_at'))
      for (const [, seconds] of times) expect(Number.isInteger(seconds) && (seconds as number) < 2 ** 31).toBe(true)
    }
  })

  it('carries stamps and ids as the wire wants them', () => {
    const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
    for (const { id, pk, operation, payload, stamp, tableName } of history.ops) {
      expect(id).toMatch(uuid)
      expect(stamp.opId).toMatch(uuid)
      expect(stamp.hlc).toMatch(/^[0-9a-z]{9}:[0-9a-z]{3}:[0-9a-z]{8}$/)
      expect(stamp.clock).toBeGreaterThan(0)
      if (operation === 'put') continue
      const key = nameKeyField(tableName)
      expect(payload).toEqual({ [key]: pk, deleted: true, deleted_at: expect.any(Number) })
    }
    expect(new Set(history.ops.map(op => op.stamp.opId)).size).toBe(history.ops.length)
  })

  it('keeps a message at its place, names of settings unique, and no thread without its first put', () => {
    for (const ops of countBy(
      puts.filter(op => op.tableName === 'messages'),
      op => op.pk,
    ).values()) {
      expect(new Set(ops.map(op => op.payload['order_key'])).size).toBe(1)
    }
    for (const ops of countBy(
      puts.filter(op => op.tableName === 'kv'),
      op => op.payload['name'] as string,
    ).values()) {
      expect(new Set(ops.map(op => op.pk)).size).toBe(1)
    }
    const threads = new Set(history.ops.filter(op => op.tableName === 'threads').map(op => op.pk))
    for (const op of puts.filter(({ tableName }) => tableName === 'messages')) {
      expect(threads.has(op.payload['thread_id'] as string)).toBe(true)
    }
  })

  it('holds ties of clocks, of clocks and stamps, and of edits with deletes', () => {
    const sameClock = [...countBy(history.ops, op => `${op.tableName}/${op.pk}/${op.stamp.clock}`).values()].filter(
      ops => ops.length > 1,
    )
    const isByHlc = (ops: PendingOp[]) => new Set(ops.map(op => op.stamp.hlc)).size > 1
    const isMixed = (ops: PendingOp[]) => new Set(ops.map(op => op.operation)).size > 1
    expect(sameClock.filter(isByHlc).length).toBeGreaterThan(10)
    expect(sameClock.filter(ops => !isByHlc(ops)).length).toBeGreaterThan(5)
    expect(sameClock.filter(ops => isMixed(ops) && isByHlc(ops)).length).toBeGreaterThan(0)
    expect(sameClock.filter(ops => isMixed(ops) && !isByHlc(ops)).length).toBeGreaterThan(0)
    for (const ops of sameClock) expect(new Set(ops.map(op => op.stamp.deviceId)).size).toBe(2)
  })

  it('holds branches, forks, long answers, other scripts, halves of emoji and a NUL', () => {
    const threads = puts.filter(op => op.tableName === 'threads').map(op => op.payload)
    expect(threads.some(thread => thread['parent_thread_id'] && !thread['forked'])).toBe(true)
    expect(threads.some(thread => thread['parent_thread_id'] && thread['forked'])).toBe(true)
    expect(threads.some(thread => !(thread['title'] as string).isWellFormed())).toBe(true)
    const said = puts
      .filter(op => op.tableName === 'messages')
      .map(op => (op.payload['data'] as { content: string }).content)
    expect(Math.max(...said.map(content => content.length))).toBeGreaterThan(8_000)
    for (const sign of ['\0', '\u200d', '𠮷', '🇪🇺', 'ש', 'ع', '한', '\u0302\u0301', '```rust', '|---']) {
      expect({ sign, found: said.some(content => content.includes(sign)) }).toEqual({ sign, found: true })
    }
  })

  it('is imported by one device and read by another, with the reader as the owner of notifications', async () => {
    const server = await startServer()
    const id = { userId: 'user-1', workspaceId: 'w1' }
    const [a, b] = [await openDevice('a', server.transportOf(), id), await openDevice('b', server.transportOf(), id)]
    for (const device of [a, b]) expect(await device.sync()).toMatchObject({ ok: true, snapshot: true })
    await a.store.importOps(readChatExport(history, 'user-1'))
    const imported = await fingerprint(a.store)
    expect(await a.sync()).toMatchObject({ ok: true, pushed: history.ops.length, refused: 0 })
    expect(await b.sync()).toMatchObject({ ok: true, pulled: history.ops.length })
    for (const { store } of [a, b]) expect(await fingerprint(store)).toBe(imported)
    expect(a.store.status).toMatchObject({ pending: 0, failures: 0 })
    const readers = [...b.store.entries()].filter(({ table, row }) => table === 'notifications' && row)
    expect(new Set(readers.map(({ row }) => row!['user_id']))).toEqual(new Set(['user-1']))
    expect(Object.keys(b.conflicts).sort()).toEqual(['clock', 'hlc', 'op_id'])
  })
})

describe('reading an export', () => {
  it('says in one sentence what is wrong with another file', () => {
    expect(() => readChatExport(null, 'u')).toThrow('This file is not a chat export.')
    expect(() => readChatExport({ format: 'or3-chat-export', version: 2 }, 'u')).toThrow(/version 2/)
    expect(() => readChatExport({ format: 'or3-chat-export', version: 1 }, 'u')).toThrow(/no list/)
    expect(() => readChatExport({ ...history, ops: [history.ops[0], {}] }, 'u')).toThrow(/^Op 2 /)
  })
})
