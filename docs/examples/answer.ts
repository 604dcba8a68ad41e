// server/api/answer.post.ts: an answer that streams in is a row that grows
import { randomUUID } from 'node:crypto'
import { defineEventHandler, readBody } from 'h3'
import { authorize, writeSyncedRows } from '#or3-sync'
import { answers } from './tables.ts'

/** How often devices get what has come: each write is a change that every device pulls. */
const everyMs = 250

export default defineEventHandler(async (event) => {
  const { workspaceId, prompt } = await readBody<{ workspaceId: string, prompt: string }>(event)
  await authorize(event, 'workspace.write', { workspaceId })
  const id = randomUUID()
  await writeSyncedRows(workspaceId, rows => rows.put(answers, { id, text: '', pending: true }))
  // Not awaited: the request is answered, and the answer arrives on every device.
  void streamAnswer(workspaceId, id, askModel(prompt))
  return { id }
})

/** Writes what has come from time to time, and all of it at the end; an answer that breaks off says so. */
export async function streamAnswer(workspaceId: string, id: string, parts: AsyncIterable<string>): Promise<void> {
  let text = ''
  let writtenAt = Date.now()
  const write = (pending: boolean, error?: string) => writeSyncedRows(workspaceId, async (rows) => {
    // Deleted meanwhile: an answer that nobody wants is not brought back.
    const answer = await rows.get(answers, id)
    if (answer) rows.put(answers, { ...answer, text, pending, ...error !== undefined && { error } })
  })
  try {
    for await (const part of parts) {
      text += part
      if (Date.now() - writtenAt < everyMs) continue
      writtenAt = Date.now()
      await write(true)
    }
    await write(false)
  }
  catch {
    await write(false, 'The answer broke off.')
  }
}

/** Your model's client. */
async function* askModel(prompt: string): AsyncGenerator<string> {
  yield `You asked: ${prompt}`
}
