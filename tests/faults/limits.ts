/**
 * What a server bears: a write-ahead log that stays small under load with readers about, requests that are cut off
 * half-way and change nothing, a thousand idle devices. Upholds P9.
 */
import { stat } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { DatabaseSync } from 'node:sqlite'
import { readRssMb } from '../helpers/memory.ts'
import { makeOp, pullOnce, pushOnce, signIn } from './devices.ts'
import { type Check, createLedger } from './ledger.ts'
import type { StartServer } from './process.ts'

export interface LimitFigures extends Check {
  acked: number
  /** The largest the log was, in bytes, with readers that come and go. */
  walBytes: number
  /** The longest that one of them waited for its answer. */
  longestPushMs: number
  /** Requests cut off half-way. */
  cutOff: number
  idleClients: number
  /** Resident memory in MB: after the load, and with the idle clients. */
  rssMb: number
  rssIdleMb: number
}

export interface LimitOptions {
  loadMs: number
  cuts: number
  idleClients: number
  /** How long a reader stays. */
  readMs?: number
  /** The load goes on until the log is so large; for the control, which has a reader that never goes. */
  untilWalBytes?: number
}

/** As many as go into one push of a device that was away. */
const opsPerPush = 40
/** For the control on a slow machine. */
const longestLoadMs = 120_000

export async function runLimits(start: StartServer, dbPath: string, { loadMs, cuts, idleClients, readMs = 100, untilWalBytes = 0 }: LimitOptions): Promise<LimitFigures> {
  const server = await start(dbPath)
  const ledger = createLedger()
  const devices = await signIn(server.url, 4)
  let walBytes = 0
  let longestPushMs = 0
  const until = performance.now() + loadMs
  const isOver = () => performance.now() >= until && (walBytes >= untilWalBytes || performance.now() >= until + longestLoadMs)
  /** Two in turn: at no moment does nobody read. */
  const read = async (waitMs: number) => {
    await sleep(waitMs)
    while (!isOver()) {
      const reader = new DatabaseSync(dbPath, { readOnly: true, timeout: 1_000 })
      reader.exec('begin')
      reader.prepare('select count(*) from changes').get()
      for (const readUntil = performance.now() + readMs; performance.now() < readUntil && !isOver(); await sleep(20)) {
        walBytes = Math.max(walBytes, await stat(`${dbPath}-wal`).then(({ size }) => size, () => 0))
      }
      reader.exec('commit')
      reader.close()
    }
  }
  const reading = Promise.all([read(0), read(Math.min(readMs / 2, 50))])
  await Promise.all(devices.map(async (device) => {
    while (!isOver()) {
      const sentAt = performance.now()
      await pushOnce(server.url, device, ledger, opsPerPush)
      longestPushMs = Math.max(longestPushMs, Math.round(performance.now() - sentAt))
    }
  }))
  await reading

  // Sent by nobody, as far as the ledger knows: one of them in the log is a ghost.
  for (let turn = 0; turn < cuts; turn++) await cutOff(server.url, devices[turn % 4]!, turn / cuts)
  const rssMb = readRssMb(server.pid)
  const sockets = await idle(server.url, idleClients)
  for (const device of devices) await pullOnce(server.url, device, 0)
  const rssIdleMb = readRssMb(server.pid)
  for (const socket of sockets) socket.destroy()
  for (const device of devices) await pushOnce(server.url, device, ledger)
  await server.stop()
  return { acked: ledger.acked, walBytes, longestPushMs, cutOff: cuts, idleClients, rssMb, rssIdleMb, ...ledger.check(dbPath) }
}

/** A push whose body ends after `part` of it. */
async function cutOff(url: string, device: { user: string, workspaceId: string, deviceId: string }, part: number) {
  const body = JSON.stringify({ scope: { workspaceId: device.workspaceId }, ops: Array.from({ length: 20 }, () => makeOp(device)) })
  const socket = await open(url)
  const head = `POST /api/sync/push HTTP/1.1\r\nHost: x\r\nx-demo-user: ${device.user}\r\ncontent-type: application/json\r\n`
  // With a length, and in chunks, where the end is not known beforehand.
  const length = Buffer.byteLength(body)
  const sent = body.slice(0, Math.floor(body.length * part))
  if (part < 0.5) socket.write(`${head}content-length: ${length}\r\n\r\n${sent}`)
  else socket.write(`${head}transfer-encoding: chunked\r\n\r\n${Buffer.byteLength(sent).toString(16)}\r\n${sent}\r\n`)
  await sleep(3)
  socket.destroy()
}

/** Connections that have asked once and stay. */
async function idle(url: string, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  for (let index = 0; index < count; index++) {
    const socket = await open(url)
    socket.write(`GET /api/auth/session HTTP/1.1\r\nHost: x\r\nx-demo-user: user-${index % 2}\r\n\r\n`)
    await once(socket, 'data')
    sockets.push(socket)
  }
  return sockets
}

async function open(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  await once(socket, 'connect')
  return socket
}
