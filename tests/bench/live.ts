/**
 * `npm run bench:live [-- --json] [--quick]`: how soon a change is on another device, what a listener costs, and what idle
 * devices cost with hints and with polling. The built playground, its clients on the same machine; the first row in a real
 * Chromium with the real client. The last line is one JSON object. Each latency counts from the moment a push is sent.
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
  ? { edits: 60, listeners: 1_000, idleListeners: 1_000, writeSeconds: 5, idleSeconds: 12 }
  : { edits: 300, listeners: 1_000, idleListeners: 5_000, writeSeconds: 20, idleSeconds: 60 }

const folder = await mkdtemp(join(tmpdir(), 'or3-bench-live-'))
const path = join(folder, 'live.db')
const first = await startBuilt(path)
const people = await meetPeople(first.url, Math.max(sizes.listeners, sizes.idleListeners))
await first.stop()
addMembers(path, people)
const server = await startBuilt(path)
const say = (line: string) => process.stderr.write(`${line}\n`)
try {
  const commitToList = summarize(await measureList(server.url, sizes.edits))
  say(`commit to list, Chromium: ${JSON.stringify(commitToList)}`)

  const crowd = createCrowd(server.url, people)
  const pushAlone = summarize(await measurePushes(crowd, sizes.writeSeconds))
  const before = readRssMb(server.pid)
  await crowd.listen(sizes.idleListeners)
  await settle()
  const perListenerKb = Math.round((readRssMb(server.pid) - before) * 1024 / sizes.idleListeners * 10) / 10
  say(`a listener of ${sizes.idleListeners}: ${perListenerKb} KB`)

  const live = await measureIdle(() => crowd.pollEach(60_000, sizes.listeners))
  say(`idle, live: ${JSON.stringify(live)}`)
  await crowd.keep(sizes.listeners)
  const heard: number[] = []
  crowd.onHint(ms => heard.push(ms))
  const pushBeside = summarize(await measurePushes(crowd, sizes.writeSeconds))
  const listeners1000 = summarize(heard)
  say(`hints to ${sizes.listeners}: ${JSON.stringify(listeners1000)}; a push alone ${JSON.stringify(pushAlone)}, beside them ${JSON.stringify(pushBeside)}`)
  await crowd.keep(0)
  const polling = await measureIdle(() => crowd.pollEach(2_000, sizes.listeners))
  say(`idle, polling: ${JSON.stringify(polling)}`)

  const machine = `${cpus()[0]?.model.trim()} × ${cpus().length}, Node ${process.version}`
  const result = { commitToList, listeners1000, perListenerKb, idle: { live, polling }, pushMs: { alone: pushAlone, beside1000: pushBeside }, machine }
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

/** Until the connections of the start are out of the young heap. */
async function settle() {
  await new Promise(resolve => setTimeout(resolve, 3_000))
}
