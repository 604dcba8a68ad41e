/** The bytes of a live stream as events, however they are cut. */
import { expect, it } from 'vitest'
import { readLiveEvents } from '../../../client/live/stream.ts'

async function read(...parts: (string | Uint8Array)[]) {
  const events: unknown[] = []
  let bytes = 0
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const part of parts) controller.enqueue(typeof part === 'string' ? new TextEncoder().encode(part) : part)
      controller.close()
    },
  })
  await readLiveEvents(stream, ({ type, data }) => events.push([type, data]), () => bytes++)
  return { events, bytes }
}

const text = 'event: hello\ndata: {"head":1,"seconds":600}\n\n:\n\nevent: head\ndata: {"head":2}\n\n'
  + 'event: end\ndata: {"reason":"session"}\n\n'
const events = [
  ['hello', { head: 1, seconds: 600 }], ['head', { head: 2 }], ['end', { reason: 'session' }],
]

// Seen red with each chunk split into lines by itself.
it.each([['\n'], ['\r\n']])('reads the same events wherever the bytes are cut, with line ends %j', async (lineEnd) => {
  const bytes = new TextEncoder().encode(text.replaceAll('\n', lineEnd))
  expect((await read(bytes)).events).toEqual(events)
  for (let cut = 1; cut < bytes.length; cut++) {
    expect((await read(bytes.subarray(0, cut), bytes.subarray(cut))).events).toEqual(events)
  }
  expect((await read(...Array.from(bytes, byte => Uint8Array.of(byte)))).events).toEqual(events)
})

it('takes data in several lines, a comment in between, and no space after the colon', async () => {
  expect((await read('event:head\ndata:{"head":\n: still here\ndata: 7}\nid: 5\n\n')).events).toEqual([['head', { head: 7 }]])
})

// Seen red with `type` kept from one event to the next.
it('leaves out what it does not know, and goes on', async () => {
  const unknown = [
    'data: {"head":4}\n\n', 'event: other\ndata: {"head":3}\n\n', 'event: head\ndata: {"head":"5"}\n\n',
    'event: head\ndata: <html>\n\n', 'event: head\n\n', 'event: end\ndata: null\n\n',
    'event: head\ndata: {"head":6}',
  ]
  expect((await read(text, ...unknown)).events).toEqual(events)
})

it('tells of each piece that comes, a comment too: a stream that is quiet is not dead', async () => {
  expect(await read(':\n\n', ':\n\n')).toEqual({ events: [], bytes: 2 })
})
