/** Reads the text of a chat export and counts what is in it. */
import { readChatExport } from '~~/shared/read-export'
import type { PendingOp } from '../../../shared/protocol.ts'

export interface TableCount {
  tableName: string
  puts: number
  deletes: number
}

/** Throws with one clear sentence when the text is something else. */
export function parseChatExport(text: string, userId: string): PendingOp[] {
  const ops = readChatExport(parseJson(text), userId)
  if (ops.length === 0) throw new Error('This chat export holds no operations.')
  return ops
}

/** The fullest table first. */
export function countTables(ops: PendingOp[]): TableCount[] {
  const counts = new Map<string, TableCount>()
  for (const { tableName, operation } of ops) {
    const count = counts.get(tableName) ?? { tableName, puts: 0, deletes: 0 }
    if (operation === 'put') count.puts++
    else count.deletes++
    counts.set(tableName, count)
  }
  return [...counts.values()].sort((a, b) => b.puts + b.deletes - a.puts - a.deletes)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  }
  catch {
    throw new Error('This file is not JSON.')
  }
}
