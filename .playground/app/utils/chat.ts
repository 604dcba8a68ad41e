/** Reads and makes chat rows: what a store keeps as plain JSON, seen as threads and messages. */
import { compareCodePoints } from '../../../shared/revision.ts'
import type { JsonObject } from '../../../shared/protocol.ts'
import type { Row } from '~~/shared/device-rows'

export function readText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

export function readNumber(value: unknown): number {
  return typeof value === 'number' ? value : 0
}

/** Newest activity first. */
export function sortThreads(rows: readonly Row[]): Row[] {
  return rows
    .filter(row => row.payload.deleted !== true)
    .sort((a, b) => readActivity(b) - readActivity(a) || compareCodePoints(a.pk, b.pk))
}

function readActivity(row: Row): number {
  return readNumber(row.payload.last_message_at) || readNumber(row.payload.updated_at)
}

export function threadTitle(row: Row): string {
  return readText(row.payload.title).trim() || 'Untitled thread'
}

/** By index, then by order key: two devices that wrote offline may have chosen the same index. */
export function sortMessages(rows: readonly Row[], threadId: string): Row[] {
  return rows
    .filter(row => row.payload.thread_id === threadId && row.payload.deleted !== true)
    .sort(
      (a, b) =>
        readNumber(a.payload.index) - readNumber(b.payload.index)
        || compareCodePoints(readText(a.payload.order_key), readText(b.payload.order_key))
        || compareCodePoints(a.pk, b.pk),
    )
}

export function nextIndex(sorted: readonly Row[]): number {
  const last = sorted.at(-1)
  return last ? readNumber(last.payload.index) + 1 : 0
}

export function countByThread(messages: readonly Row[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { payload } of messages) {
    if (payload.deleted === true) continue
    const threadId = readText(payload.thread_id)
    counts.set(threadId, (counts.get(threadId) ?? 0) + 1)
  }
  return counts
}

/** A message's text: `data` is a string, an object with `content` or `text`, or a list of such parts. */
export function messageText(payload: JsonObject | undefined): string {
  return payload ? textOf(payload.data) : ''
}

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (Array.isArray(value)) return value.map(textOf).filter(Boolean).join('\n')
  if (typeof value !== 'object' || value === null) return ''
  const part = value as JsonObject
  return textOf(part.content ?? part.text ?? part.parts)
}

/** The same payload with another text; everything else the row carries is kept. */
export function withText(payload: JsonObject, text: string): JsonObject {
  const data = typeof payload.data === 'object' && !Array.isArray(payload.data) ? payload.data : {}
  return { ...payload, data: { ...data, content: text }, updated_at: nowSeconds() }
}

export function newThread(id: string, title: string): JsonObject {
  const at = nowSeconds()
  return { id, title, status: 'ready', deleted: false, pinned: false, created_at: at, updated_at: at }
}

/** The table fills in the order key: the stamp of the write. */
export function newMessage(id: string, threadId: string, index: number, text: string): JsonObject {
  const at = nowSeconds()
  return {
    id,
    thread_id: threadId,
    role: 'user',
    index,
    deleted: false,
    created_at: at,
    updated_at: at,
    data: { content: text },
  }
}

export function newNote(id: string, text: string): JsonObject {
  const at = nowSeconds()
  return { id, text, done: false, created_at: at, updated_at: at }
}

export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
