import { randomUUID } from 'node:crypto'
import { expect, it } from 'vitest'
import type { UploadReservation } from '../../../server/host/sync-adapter/types.ts'
import { openTestDatabase } from '../../helpers/database.ts'
import { deleteOf, emptyEvent, event, eventOf, putOf, scope, workspaceId } from '../../helpers/sync.ts'
import { adapterOf } from '../../helpers/engine.ts'

const soon = () => Math.floor(Date.now() / 1000) + 600

async function setUp() {
  const database = await openTestDatabase()
  const adapter = adapterOf(database)
  const reservation = (more: Partial<UploadReservation> = {}): UploadReservation => ({
    intentId: randomUUID(), workspaceId, hash: `sha256:${'a'.repeat(64)}`, mimeType: 'image/png', sizeBytes: 100, expiresAt: soon(), ...more,
  })
  const addFile = (hash: string, size: number) => adapter.push(event, {
    scope,
    ops: [putOf(hash, {
      tableName: 'file_meta',
      payload: { hash, size_bytes: size, deleted: false, created_at: 1, updated_at: 7, clock: 1, storage_id: 's1' },
    })],
  })
  return { database, adapter, reservation, addFile }
}

it('reserves under the quota and refuses what would go over it, also when many ask at once', async () => {
  const { adapter, reservation } = await setUp()
  const results = await Promise.allSettled(Array.from({ length: 20 }, (_, index) =>
    adapter.reserveUploadIntent(event, reservation({ hash: `sha256:${index}`, workspaceQuotaBytes: 750 }))))
  expect(results.filter(result => result.status === 'fulfilled')).toHaveLength(7)
  const refused = results.find(result => result.status === 'rejected')!
  expect(refused.reason).toMatchObject({ statusCode: 413, data: { code: 'QUOTA_EXCEEDED' } })
  await adapter.reserveUploadIntent(event, reservation({ hash: 'sha256:free' }))
})

it('counts a file once: by its metadata, its reservation, or the use of one', async () => {
  const { adapter, reservation, addFile } = await setUp()
  const fits = (hash: string, quota: number) =>
    adapter.reserveUploadIntent(event, reservation({ hash, workspaceQuotaBytes: quota })).then(() => true, () => false)
  await addFile('sha256:AA', 500)
  expect(await fits('sha256:aa', 500)).toBe(true)
  expect(await fits('sha256:bb', 599)).toBe(false)
  const used = reservation({ hash: 'sha256:cc' })
  await adapter.reserveUploadIntent(event, used)
  await adapter.consumeUploadIntent(event, { ...used, storageId: 'stored' })
  expect(await fits('sha256:bb', 699)).toBe(false)
  await addFile('sha256:cc', 100)
  expect(await fits('sha256:bb', 700)).toBe(true)
  await adapter.push(event, { scope, ops: [deleteOf('sha256:AA', { tableName: 'file_meta', stamp: { clock: 2 } })] })
  expect(await fits('sha256:dd', 400)).toBe(true)
})

// Seen red with a known file let through whatever its size: metadata that says 0 bytes made room for any file.
it('counts a file that is known already as it comes, whatever was said of its size', async () => {
  const { adapter, reservation, addFile } = await setUp()
  const reserve = (hash: string, sizeBytes: number, quota: number) =>
    adapter.reserveUploadIntent(event, reservation({ hash, sizeBytes, workspaceQuotaBytes: quota })).then(() => 'taken', error => error.statusCode)
  await addFile('sha256:empty', 0)
  expect(await reserve('sha256:empty', 1e12, 1_000)).toBe(413)
  expect(await reserve('sha256:empty', 1_000, 1_000)).toBe('taken')
  expect(await reserve('EMPTY', 1_001, 1_000)).toBe(413)
  expect(await reserve('empty', 900, 1_000)).toBe('taken')
  expect(await reserve('sha256:other', 1, 1_000)).toBe(413)
  await addFile('sha256:boast', 1e15)
  expect(await reserve('sha256:boast', 1e12, 2_000)).toBe(413)
  expect(await reserve('sha256:boast', 1_000, 2_000)).toBe('taken')
  expect(await reserve('sha256:other', 0, 2_000)).toBe(413)
})

it('lets a reservation be used once, for its own file, before it ends', async () => {
  const { adapter, database, reservation } = await setUp()
  const taken = reservation()
  await adapter.reserveUploadIntent(event, taken)
  await adapter.reserveUploadIntent(event, taken)
  await expect(adapter.reserveUploadIntent(event, { ...taken, sizeBytes: 1 })).rejects.toMatchObject({ statusCode: 409 })
  await expect(adapter.consumeUploadIntent(event, { ...taken, sizeBytes: 1, storageId: 's' })).rejects.toMatchObject({ statusCode: 409 })
  const uses = await Promise.allSettled(Array.from({ length: 10 }, () => adapter.consumeUploadIntent(event, { ...taken, storageId: 's' })))
  expect(uses.filter(use => use.status === 'fulfilled')).toHaveLength(1)
  expect(uses.find(use => use.status === 'rejected')!.reason).toMatchObject({ statusCode: 409 })

  const late = reservation()
  await adapter.reserveUploadIntent(event, late)
  await database.write(tx => tx.run('update upload_intents set expires_at = 1 where consumed_at is null'))
  await expect(adapter.consumeUploadIntent(event, { ...late, storageId: 's' })).rejects.toMatchObject({ statusCode: 409 })
  await adapter.reserveUploadIntent(event, late)
  await adapter.cancelUploadIntent(event, late)
  await adapter.cancelUploadIntent(event, late)
  await expect(adapter.consumeUploadIntent(event, { ...late, storageId: 's' })).rejects.toMatchObject({ statusCode: 409 })
})

it('gives the room of an ended or cancelled reservation back', async () => {
  const { adapter, database, reservation } = await setUp()
  const first = reservation({ hash: 'sha256:1', workspaceQuotaBytes: 100 })
  await adapter.reserveUploadIntent(event, first)
  await adapter.cancelUploadIntent(event, first)
  await adapter.reserveUploadIntent(event, reservation({ hash: 'sha256:2', workspaceQuotaBytes: 100 }))
  await database.write(tx => tx.run('update upload_intents set expires_at = 1'))
  await adapter.reserveUploadIntent(event, reservation({ hash: 'sha256:3', workspaceQuotaBytes: 100 }))
  const { items } = await adapter.queryCanonicalStorage(event, { scope, kind: 'active_reservations' })
  expect(items).toMatchObject([{ hash: '3', sizeBytes: 100 }])
})

it('keeps workspaces apart and refuses what is not a reservation', async () => {
  const { adapter, reservation } = await setUp()
  const taken = reservation()
  await adapter.reserveUploadIntent(emptyEvent, taken)
  const other = { ...taken, workspaceId: 'workspace-2' }
  const otherEvent = eventOf('user-2', 'workspace-2')
  await expect(adapter.reserveUploadIntent(event, other)).rejects.toMatchObject({ statusCode: 403 })
  await expect(adapter.consumeUploadIntent(otherEvent, { ...other, storageId: 's' })).rejects.toMatchObject({ statusCode: 409 })
  await adapter.reserveUploadIntent(otherEvent, { ...other, workspaceQuotaBytes: 100 })
  for (const wrong of [{ sizeBytes: -1 }, { sizeBytes: 1.5 }, { expiresAt: 1 }, { hash: '' }, { intentId: 'a\0b' }]) {
    await expect(adapter.reserveUploadIntent(event, reservation(wrong))).rejects.toMatchObject({ statusCode: 400 })
  }
})
