/**
 * `npm run bench:live [-- --json] [--quick]`: how soon a change is on another device, what a listener costs, and what idle
 * devices cost with hints and with polling. The built playground, its clients on the same machine; the first row in a real
 * Chromium with the real client. The last line is one JSON object. `commitToList` counts from the push's answer, which
 * follows its commit; the other latencies from the moment a push is sent. `pushMs` has what the writer sees, who shares
 * his processors with all listeners here, and by `meanInServerMs` what the server itself takes for a push.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { startBuilt } from '../faults/process.ts'
import { readCpuMs, readRssMb } from '../helpers/memory.ts'
import { measureList } from './live-list.ts'
import { addMembers, createCrowd, measurePushes, meetPeople, summarize } from './live-crowd.ts'

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } } })
const sizes = values.quick
  ? { edits: 60, listeners: 1_000, idleListeners: 5_000, rounds: 3, writeSeconds: 2, idleSeconds: 12 }
  : { edits: 300, listeners: 1_000, idleListeners: 5_000, rounds: 5, writeSeconds: 5, idleSeconds: 60 }

const folder = await mkdtemp(join(tmpdir(), 'or3-bench-live-'))
const path = join(folder, 'live.db')
const first = await startBuilt(path)
const people = await meetPeople(first.url, Math.max(sizes.listeners, sizes.idleListeners))
await first.stop()
addMembers(path, people)
const server = await startBuilt(path, { OR3_SQLITE_METRICS: 'true' })
const say = (line: string) => process.stderr.write(`${line}\n`)
try {
  const list = await measureList(server.url, sizes.edits)
  const [commitToList, sendToList] = [summarize(list.fromCommit), summarize(list.fromSend)]
  say(`commit to list, Chromium: ${JSON.stringify(commitToList)}; from sending: ${JSON.stringify(sendToList)}`)

  const crowd = createCrowd(server.url, people)
  const polling = await measureIdle(() => crowd.pollEach(2_000, sizes.listeners))
  say(`idle, polling: ${JSON.stringify(polling)}`)

  // The thousands of requests before have grown the young heap: what comes now is of the streams.
  const before = readRssMb(server.pid)
  await crowd.listen(sizes.idleListeners)
  await settle()
  const perListenerKb = Math.round((readRssMb(server.pid) - before) * 1024 / sizes.idleListeners * 10) / 10
  say(`a listener of ${sizes.idleListeners}: ${perListenerKb} KB`)

  await crowd.keep(sizes.listeners)
  const live = await measureIdle(() => crowd.pollEach(60_000, sizes.listeners))
  say(`idle, live: ${JSON.stringify(live)}`)

  const heard: number[] = []
  crowd.onHint(ms => heard.push(ms))
  const [alone, beside] = [createTally(), createTally()]
  for (let round = 0; round < sizes.rounds; round++) {
    await crowd.listen(sizes.listeners)
    await beside.add(() => measurePushes(crowd, sizes.writeSeconds))
    await crowd.keep(0)
    await alone.add(() => measurePushes(crowd, sizes.writeSeconds))
  }
  const pushMs = { alone: alone.summarize(), beside1000: beside.summarize() }
  const listeners1000 = summarize(heard)
  say(`hints to ${sizes.listeners}: ${JSON.stringify(listeners1000)}; a push ${JSON.stringify(pushMs)}`)

  const machine = `${cpus()[0]?.model.trim()} × ${cpus().length}, Node ${process.version}`
  const result = { commitToList, sendToList, listeners1000, perListenerKb, idle: { live, polling }, pushMs, machine }
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
finally {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
}
process.exit(0)

/** Requests and the server's CPU in a minute of this, from a shorter time where it is quick. */
async function measureIdle(begin: () => { requests(): number, stop(): Promise<void> }) {
  const cpuBefore = readCpuMs(server.pid)
  const polls = begin()
  await new Promise(resolve => setTimeout(resolve, sizes.idleSeconds * 1_000))
  const cpuMs = readCpuMs(server.pid) - cpuBefore
  const requests = polls.requests()
  await polls.stop()
  const toMinute = (value: number) => Math.round(value * 60 / sizes.idleSeconds)
  return { requests: toMinute(requests), cpuMs: toMinute(cpuMs) }
}

/** The times of pushes, and what the server counts for them. */
function createTally() {
  const took: number[] = []
  const inServer = { seconds: 0, pushes: 0 }
  const read = async () => {
    const metrics = await fetch(new URL('/api/metrics', server.url)).then(answer => answer.text())
    const find = (what: string) => Number(new RegExp(`^or3_sync_request_seconds_${what}{operation="push"} (\\S+)$`, 'm').exec(metrics)?.[1] ?? 0)
    return { seconds: find('sum'), pushes: find('count') }
  }
  return {
    async add(work: () => Promise<number[]>) {
      const before = await read()
      took.push(...await work())
      const after = await read()
      inServer.seconds += after.seconds - before.seconds
      inServer.pushes += after.pushes - before.pushes
    },
    summarize: () => ({ ...summarize(took), meanInServerMs: Number((inServer.seconds / inServer.pushes * 1_000).toPrecision(3)) }),
  }
}

/** Until what was needed to open them is gone. */
async function settle() {
  await new Promise(resolve => setTimeout(resolve, 3_000))
}
