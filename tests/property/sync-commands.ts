/** What happens to devices and workspaces in a model run: each command does it for real and in the model, and compares. */
import type fc from 'fast-check'
import { expect, vi } from 'vitest'
import type { SnapshotItem } from '../../shared/protocol.ts'
import { emptyEvent, eventOf } from '../helpers/sync.ts'
import { applyPage, applySnapshot, type Device, type LocalWrite, writeLocally } from './sync-device.ts'
import { cleanUpModel, pullModel, pushModel, snapshotModel } from './sync-model.ts'
import type { Place, World } from './sync-world.ts'

export interface Command extends fc.AsyncCommand<World, World> { toString(): string }

/** A command at one device's place in one workspace. */
function at(world: World, { workspace, device }: { workspace: number, device: number }): Place {
  return world.places[workspace]![device]!
}

function command(name: string, details: object, run: (world: World) => Promise<void>): Command {
  return { check: () => true, run, toString: () => `${name}(${JSON.stringify(details)})` }
}

const nowSeconds = () => Math.floor(Date.now() / 1000)

export function write(place: { workspace: number, device: number }, local: LocalWrite): Command {
  return command('write', { ...place, ...local }, async (world) => {
    const { device } = at(world, place)
    // Two writes of one row never have one revision: neither would give way to the other.
    const { tableName, pk, clock, hlc, opId } = local
    const revision = JSON.stringify([place.workspace, tableName, pk, clock, hlc, opId])
    if (world.revisions.has(revision)) return
    world.revisions.add(revision)
    writeLocally(device, local.tableName === 'notifications' ? { ...local, pk: `${local.pk}-${device.user}` } : local)
  })
}

/** Sends the oldest of the outbox; with `isLost` the answer never comes, so they are sent again later. */
export function push(place: { workspace: number, device: number }, options: { count: number, isReversed: boolean, isLost: boolean }): Command {
  return command('push', { ...place, ...options }, async (world) => {
    await pushOutbox(world, at(world, place), options)
  })
}

export async function pushOutbox(
  world: World,
  { workspaceId, model, device }: Place,
  { count, isReversed = false, isLost = false }: { count: number, isReversed?: boolean, isLost?: boolean },
) {
  const ops = isReversed ? device.outbox.slice(0, count).reverse() : device.outbox.slice(0, count)
  const { results } = await send(world, { workspaceId, model, device }, ops)
  device.sent.push(...ops)
  const done = new Set(results.filter(result => result.errorCode !== 'RATE_LIMITED').map(result => result.opId))
  if (!isLost) device.outbox = device.outbox.filter(op => !done.has(op.stamp.opId))
}

async function send(world: World, { workspaceId, model, device }: Place, ops: Device['outbox']) {
  const expected = pushModel(model, device.user, ops, nowSeconds())
  const answer = await world.adapter.push(eventOf(device.user, workspaceId), { scope: { workspaceId }, ops })
  expect(answer.results.map(({ opId, success, serverVersion, applied, replayed, errorCode, winner }) =>
    clean({ opId, success, serverVersion, applied, replayed, errorCode, winner: winner?.revision }))).toEqual(expected.map(clean))
  expect(answer.serverVersion).toBe(model.head)
  return answer
}

function clean<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as Partial<T>
}

/** Sends ops of before once more; `isForged` with another content under the same id, next to the right one. */
export function pushAgain(place: { workspace: number, device: number }, options: { picks: number[], isForged: boolean }): Command {
  return command('pushAgain', { ...place, ...options }, async (world) => {
    const here = at(world, place)
    const { sent } = here.device
    if (sent.length === 0) return
    const ops = options.picks.map(pick => sent[pick % sent.length]!)
    const forged = ops.slice(0, 1).map(op => ({ ...op, stamp: { ...op.stamp, clock: op.stamp.clock + 1 } }))
    await send(world, here, options.isForged ? [...ops, ...forged] : ops)
  })
}

export function pull(place: { workspace: number, device: number }, options: { limit: number, tables?: string[] }): Command {
  return command('pull', { ...place, ...options }, async (world) => {
    const here = at(world, place)
    const answer = await pullPage(world, here, here.device.cursor, options)
    if (options.tables) return
    if (answer.requiresSnapshot) await takeSnapshot(world, here)
    else applyPage(here.device, answer)
  })
}

export async function pullPage(world: World, { workspaceId, model, device }: Place, cursor: number, { limit, tables }: { limit: number, tables?: string[] }) {
  const answer = await world.adapter.pull(eventOf(device.user, workspaceId), { scope: { workspaceId }, cursor, limit, tables })
  expect(answer).toEqual(pullModel(model, device.user, { cursor, limit, tables }, nowSeconds()))
  return answer
}

export async function takeSnapshot(world: World, { workspaceId, model, device }: Place) {
  const items: SnapshotItem[] = []
  let pageToken: string | undefined
  do {
    const page = await world.adapter.snapshot(eventOf(device.user, workspaceId), { scope: { workspaceId }, pageSize: 3, pageToken })
    items.push(...page.items)
    pageToken = page.nextPageToken ?? undefined
  } while (pageToken)
  expect(items).toEqual(snapshotModel(model, device.user))
  applySnapshot(device, items, model.head)
}

/** One more page of the device's snapshot: other commands come in between. */
export function snapshotPage(place: { workspace: number, device: number }, options: { pageSize: number }): Command {
  return command('snapshotPage', { ...place, ...options }, async (world) => {
    const { workspaceId, model, device } = at(world, place)
    const expected = () => snapshotModel(model, device.user)
    const under = device.snapshot ?? { items: [], expected: expected(), highWatermark: model.head, pageToken: undefined, mayExpire: false, pagedAt: Date.now() }
    const request = { scope: { workspaceId }, pageSize: options.pageSize, pageToken: under.pageToken }
    const page = await world.adapter.snapshot(eventOf(device.user, workspaceId), request).catch((error: { statusCode?: number }) => {
      // Only a clean-up or half an hour of the clock may end a snapshot.
      expect(error.statusCode).toBe(410)
      expect(under.mayExpire || Math.abs(Date.now() - under.pagedAt) > 1_800_000).toBe(true)
      return undefined
    })
    device.snapshot = undefined
    if (!page) return
    expect(page.highWatermark).toBe(under.highWatermark)
    const items = [...under.items, ...page.items]
    if (page.nextPageToken !== null) {
      device.snapshot = { ...under, items, pageToken: page.nextPageToken, pagedAt: Date.now() }
      return
    }
    // A tombstone may have been cleaned up meanwhile; nothing else is missing.
    const gone = under.expected.filter(item => item.kind === 'tombstone' && !items.some(one => one.tableName === item.tableName && one.pk === item.pk))
    if (!under.mayExpire) expect(gone).toEqual([])
    expect(items).toEqual(under.expected.filter(item => !gone.includes(item)))
    if (page.highWatermark >= device.cursor) applySnapshot(device, items, page.highWatermark)
  })
}

export function reportCursor(place: { workspace: number, device: number }): Command {
  return command('reportCursor', place, async world => report(world, at(world, place)))
}

export async function report(world: World, { workspaceId, model, device }: Place) {
  const { deviceId, user, cursor } = device
  await world.adapter.updateCursor(eventOf(user, workspaceId), { scope: { workspaceId }, deviceId, version: cursor })
  model.cursors.set(deviceId, { user, cursor, at: nowSeconds() })
}

export function cleanUp(workspace: number, options: { retentionSeconds: number, tombstonesToo: boolean }): Command {
  return command('cleanUp', { workspace, ...options }, async (world) => {
    const { workspaceId, model } = world.places[workspace]![0]!
    const { retentionSeconds, tombstonesToo } = options
    cleanUpModel(model, retentionSeconds, tombstonesToo, nowSeconds())
    const method = tombstonesToo ? world.adapter.gcTombstones : world.adapter.gcChangeLog
    expect(await method(emptyEvent, { scope: { workspaceId }, retentionSeconds })).toMatchObject({ head: model.head, cleanedVersion: model.cleaned, done: true })
    for (const { device } of world.places[workspace]!) if (device.snapshot) device.snapshot.mayExpire = true
  })
}

export const restart: Command = command('restart', {}, async (world) => {
  await world.restart()
})

export function turnClock(seconds: number): Command {
  return command('turnClock', { seconds }, async () => {
    vi.setSystemTime(Date.now() + seconds * 1000)
  })
}
