/** What `bench:client` runs in a page: one engine, with the clock beside it. */
import { h, nextTick, render } from 'vue'
import { type Engine, engines, makeRow, type Row } from './client-engines.ts'

declare global {
  interface Window {
    bench: {
      fill(count: number): Promise<void>
      /** Milliseconds until all rows are in memory and in order. */
      start(expected: number): Promise<number>
      /** Milliseconds to read our segments, parse them and put them into a map. */
      readFloor(): Promise<number>
      /** Milliseconds from a local write until the page's new layout, of each of `count` writes, or as many as 3 s allow. */
      writes(count: number, among: number): Promise<number[]>
      /** The longest stop of the main thread in milliseconds, of each of `count` changes from a server, or as many as 3 s allow. */
      changes(count: number, among: number): Promise<number[]>
    }
  }
}

const maxWaitMs = 30_000
/** An engine that needs a second for each change is measured by fewer. */
const maxWorkMs = 3_000
const engine: Engine = engines[new URLSearchParams(location.search).get('engine') ?? '']!()
const list = document.body.appendChild(document.createElement('ul'))
let shown: readonly Row[] = []
let tell: (problem?: string) => void = () => {}

function show(rows: readonly Row[]): void {
  shown = rows
  render(h('div', rows.map(({ id, title, rank }) => h('li', { key: id }, `${rank} ${title}`))), list)
  tell()
}

const isShown = (title: string) => shown.some(row => row.title === title)

let made = 0
/** A row that moves to the head of the list, each time another one; before those of earlier pages too. */
function makeFirst(among: number): Row {
  const at = made++
  const order = Math.round(performance.timeOrigin) + at
  return { ...makeRow(at % among), rank: -order, title: `Changed ${order}` }
}

/** A change that never shows ends the bench with an error, not with a wait for ever. */
async function untilShown(title: string): Promise<void> {
  const timer = setTimeout(() => tell(`"${title}" was not shown within ${maxWaitMs} ms`), maxWaitMs)
  while (!isShown(title)) {
    const problem = await new Promise<string | undefined>(resolve => (tell = resolve))
    if (problem) throw new Error(problem)
  }
  clearTimeout(timer)
}

window.bench = {
  fill: count => engine.fill(count),
  async start(expected) {
    const startedAt = performance.now()
    const count = await engine.start()
    const ms = performance.now() - startedAt
    if (count !== expected) throw new Error(`${count} rows instead of ${expected}`)
    await engine.watch(show)
    return ms
  },
  readFloor,
  async writes(count, among) {
    const times: number[] = []
    for (const end = performance.now() + maxWorkMs; times.length < count && performance.now() < end;) {
      const row = makeFirst(among)
      await new Promise(resolve => setTimeout(resolve, 20))
      const startedAt = performance.now()
      engine.write(row)
      await untilShown(row.title)
      await nextTick()
      list.getBoundingClientRect()
      times.push(performance.now() - startedAt)
    }
    return times
  },
  async changes(count, among) {
    const times: number[] = []
    for (const end = performance.now() + maxWorkMs; times.length < count && performance.now() < end;) {
      const row = makeFirst(among)
      await new Promise(resolve => setTimeout(resolve, 50))
      times.push(await measureStop(async () => {
        await engine.receive(row)
        await untilShown(row.title)
      }))
    }
    return times
  },
}

async function readFloor(): Promise<number> {
  const [about] = await indexedDB.databases()
  const startedAt = performance.now()
  const database = await finish(indexedDB.open(about!.name!))
  const segments = await finish(database.transaction('segments').objectStore('segments').getAll()) as { text: string }[]
  const entries = new Map<string, unknown>()
  for (const { text } of segments) for (const entry of JSON.parse(text) as { pk: string }[]) entries.set(entry.pk, entry)
  return performance.now() - startedAt
}

function finish<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error!)
  })
}

/** Messages go round as fast as the main thread lets them; the longest gap between two is the stop. */
async function measureStop(work: () => Promise<unknown>): Promise<number> {
  const { port1, port2 } = new MessageChannel()
  let longest = 0
  let last = performance.now()
  let isDone = false
  port1.onmessage = () => {
    const now = performance.now()
    longest = Math.max(longest, now - last)
    last = now
    if (!isDone) port2.postMessage(0)
  }
  port2.postMessage(0)
  await new Promise(resolve => setTimeout(resolve, 10))
  longest = 0
  await work()
  await new Promise(resolve => setTimeout(resolve, 0))
  isDone = true
  port1.close()
  return longest
}
