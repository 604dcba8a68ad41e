/**
 * Live streams of the built server: a thousand devices with the real client's connection through a restart, readers that
 * do not read, and SIGTERM with all of it open. Promise P11.
 */
import { connect, type Socket } from 'node:net'
import { createLive } from '../../client/live/live.ts'
import { createPage } from '../../client/live/page.ts'
import { createHttpTransport } from '../../client/index.ts'
import { addMembers, createCrowd, meetPeople, type People } from '../bench/live-crowd.ts'
import { readRssMb } from '../helpers/memory.ts'
import type { FaultyServer, StartServer } from './process.ts'

export interface LiveFigures {
  listeners: number
  /** From SIGTERM to the end of the process, with all streams open. */
  stopMs: number
  /** Streams that were told why they end. */
  told: number
  /** From the moment the server listens again. */
  allBackMs: number
  /** Streams asked for in the second with the most of them. */
  mostPerSecond: number
  /** The longest time in which the devices' own process stood still meanwhile. */
  pauseMs: number
  refused: number
  /** Readers that did not read, and what the server's memory grew by while hints went on. */
  stalled: number
  grewMb: number
  /** Hints that a reader beside them got. */
  hintsBeside: number
}

export interface LiveOptions { start: StartServer, dbPath: string, listeners: number, stalledMs: number }

export async function runLive({ start, dbPath, listeners, stalledMs }: LiveOptions): Promise<LiveFigures> {
  const first = await start(dbPath)
  const people = await meetPeople(first.url, listeners + 200)
  await first.stop()
  addMembers(dbPath, people)
  let server = await start(dbPath)

  const devices = createDevices(people, listeners, () => server)
  await devices.allBack(60_000)
  const stoppedAt = performance.now()
  await server.stop()
  const stopMs = Math.round(performance.now() - stoppedAt)
  const told = devices.told()
  const before = devices.askedAt.length
  server = await start(dbPath)
  const upAt = performance.now()
  const stopWatching = watchPauses()
  await devices.allBack(30_000)
  const pauseMs = stopWatching()
  const allBackMs = Math.round(performance.now() - upAt)
  const mostPerSecond = countMost(devices.askedAt.slice(before).filter(at => at >= upAt))
  devices.stop()

  const crowd = createCrowd(server.url, people)
  await crowd.listen(1)
  let hintsBeside = 0
  crowd.onHint(() => hintsBeside++)
  const pushOn = async () => {
    for (const until = performance.now() + stalledMs; performance.now() < until;) await crowd.push()
  }
  // The heap grows with the pushes alone, by 80 MB without a stalled reader; what counts is what these add.
  await pushOn()
  const stalled = await stall(server, people, 100)
  const rssBefore = readRssMb(server.pid)
  await pushOn()
  const grewMb = readRssMb(server.pid) - rssBefore
  await crowd.keep(0)
  stalled.forEach(socket => socket.destroy())
  await server.stop()
  return { listeners, stopMs, told, allBackMs, mostPerSecond, pauseMs, refused: devices.refused(), stalled: stalled.length, grewMb, hintsBeside }
}

/** Devices with nothing of the client but its live connection. */
function createDevices({ users, workspaceId }: People, count: number, server: () => FaultyServer) {
  const askedAt: number[] = []
  const modes = new Array<string>(count).fill('off')
  let [told, refused] = [0, 0]
  const devices = Array.from({ length: count }, (_, index) => {
    const openLive = async (workspace: string, client: string, signal: AbortSignal) => {
      askedAt.push(performance.now())
      const headers = { 'x-demo-user': users[index % users.length]! }
      const transport = createHttpTransport({ baseUrl: server().url, headers })
      return transport.openLive!(workspace, client, signal).catch((error: { status?: number }) => {
        if (error.status === 429) refused++
        throw error
      })
    }
    const transport = { ...createHttpTransport(), openLive }
    return createLive({
      workspaceId, transport,
      page: createPage(),
      head: () => 0, hint() {}, requestPull() {}, setSlow() {},
      show({ mode, reason }) {
        if (reason === 'the server restarts') told++
        modes[index] = mode
      },
    })
  })
  // As they come: a page is opened here and there.
  devices.forEach((device, index) => setTimeout(device.start, index * 3))
  return {
    askedAt,
    told: () => told,
    refused: () => refused,
    async allBack(timeoutMs: number) {
      const until = performance.now() + timeoutMs
      while (!modes.every(mode => mode === 'stream')) {
        if (performance.now() > until) throw new Error(`Only ${modes.filter(mode => mode === 'stream').length} of ${count} are there after ${timeoutMs} ms.`)
        await new Promise(resolve => setTimeout(resolve, 20))
      }
    },
    stop: () => devices.forEach(device => device.stop()),
  }
}

/** Returns what ends it and says how late a timer was at most, in milliseconds. */
function watchPauses(): () => number {
  const periodMs = 10
  let [lastAt, longestMs] = [performance.now(), 0]
  const look = () => {
    const now = performance.now()
    longestMs = Math.max(longestMs, now - lastAt - periodMs)
    lastAt = now
  }
  const timer = setInterval(look, periodMs)
  return () => {
    clearInterval(timer)
    look()
    return Math.round(longestMs)
  }
}

/** Of these moments, how many lie in one second at most. */
function countMost(moments: number[]): number {
  let [most, from] = [0, 0]
  moments.forEach((moment, index) => {
    while (moments[from]! <= moment - 1_000) from++
    most = Math.max(most, index - from + 1)
  })
  return most
}

/** Opens streams of which nothing is read. */
async function stall(server: FaultyServer, { users, workspaceId }: People, count: number): Promise<Socket[]> {
  const { hostname, port } = new URL(server.url)
  const sockets = Array.from({ length: count }, (_, index) => {
    const socket = connect(Number(port), hostname)
    const user = users[users.length - 1 - index % 10]!
    socket.pause()
    socket.write(`GET /api/sync/live?workspaceId=${workspaceId} HTTP/1.1\r\nhost: ${hostname}\r\nx-demo-user: ${user}\r\n\r\n`)
    return socket
  })
  await new Promise(resolve => setTimeout(resolve, 1_000))
  return sockets
}
