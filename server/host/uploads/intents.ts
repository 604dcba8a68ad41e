/**
 * Upload intents: a part of the workspace's quota, reserved for one file before its bytes come, consumed once when they
 * have come, given back when they do not. The quota is checked and reserved in one transaction.
 */
import { and, eq, gt, isNull, sql } from 'drizzle-orm'
import { z } from 'zod'
import { nowSeconds } from '../../lib/clock.ts'
import type { SyncDatabase, WriteTransaction } from '../../database/types.ts'
import { uploadIntents } from '../../database/schema/index.ts'
import { createSyncError } from '../../errors.ts'
import type { UploadConsumption, UploadReservation } from '../sync-adapter/types.ts'
import { isStorable } from '../../lib/storable-text.ts'
import { maxIdLength } from '../../../shared/limits.ts'
import { logOf } from '../../sync/log.ts'
import { parseRequest } from '../../lib/parse-request.ts'
import { digestOf } from './digest.ts'

/** A consumed intent counts for a day, in which the file's metadata comes by sync. */
const consumedCountsSeconds = 86_400

const text = z.string().min(1).max(maxIdLength).refine(isStorable, 'must be well-formed text without NUL')
const intentRef = z.object({ intentId: text, workspaceId: z.string() })
const file = intentRef.extend({ hash: text, mimeType: text, sizeBytes: z.int().min(0) })
const reservationShape = file.extend({ expiresAt: z.int(), workspaceQuotaBytes: z.int().min(0).optional() })
const consumptionShape = file.extend({ storageId: text.max(2_048) })

/** Reserves; the same reservation again changes nothing. Throws 400, 409 for another content, 413 over the quota. */
export async function reserveUploadIntent(database: SyncDatabase, input: UploadReservation): Promise<void> {
  const request = parseRequest(reservationShape, input, 'Invalid upload reservation')
  const { workspaceQuotaBytes, intentId: id, ...reservation } = request
  const { workspaceId } = reservation
  await database.write(async (tx) => {
    const now = nowSeconds()
    if (reservation.expiresAt <= now) {
      throw createSyncError('INVALID_REQUEST', 'Invalid upload reservation: expiresAt: is over')
    }
    await dropExpired(tx, workspaceId, now)
    const known = await tx.select().from(uploadIntents).where(isIntent({ workspaceId, intentId: id })).get()
    if (known) {
      if (known.consumedAt === null && isSameFile(known, reservation)) return
      throw createSyncError('CONFLICT', 'This upload intent exists already, for another file or used up.')
    }
    if (workspaceQuotaBytes !== undefined) {
      // A device may have told a wrong size, so a known file counts with its new size.
      const usedByOthers = await readUsageBut(tx, workspaceId, reservation.hash)
      if (usedByOthers + reservation.sizeBytes > workspaceQuotaBytes) {
        const message = `The file would take the workspace over its quota of ${workspaceQuotaBytes} bytes.`
        throw createSyncError('QUOTA_EXCEEDED', message)
      }
    }
    await tx.insert(uploadIntents).values({ id, ...reservation, createdAt: now })
  })
}

/** Uses a reservation up. Throws 400, and 409 where there is no valid reservation of exactly this file. */
export async function consumeUploadIntent(database: SyncDatabase, input: UploadConsumption): Promise<void> {
  const consumption = parseRequest(consumptionShape, input, 'Invalid upload consumption')
  await database.write(async (tx) => {
    const now = nowSeconds()
    const living = and(isIntent(consumption), isNull(uploadIntents.consumedAt), gt(uploadIntents.expiresAt, now))
    const intent = await tx.select().from(uploadIntents).where(living).get()
    if (!intent || !isSameFile(intent, consumption)) {
      throw createSyncError('CONFLICT', [
        'There is no reservation of this file to use:',
        'it was used, cancelled, has expired, or was for another file.',
      ].join(' '))
    }
    await tx.update(uploadIntents).set({ consumedAt: now, storageId: consumption.storageId }).where(living)
  })
}

/** Gives a reservation back; does nothing where there is none, or it was used. Throws 400. */
export async function cancelUploadIntent(
  database: SyncDatabase,
  input: { workspaceId: string, intentId: string },
): Promise<void> {
  const intent = parseRequest(intentRef, input, 'Invalid upload cancellation')
  await database.write(tx => tx.delete(uploadIntents).where(and(isIntent(intent), isNull(uploadIntents.consumedAt))))
}

async function dropExpired(tx: WriteTransaction, workspaceId: string, now: number): Promise<void> {
  await tx.run(sql`
    delete from upload_intents where workspace_id = ${workspaceId}
      and case when consumed_at is null then expires_at <= ${now}
        else consumed_at <= ${now - consumedCountsSeconds} end`)
}

/** The bytes of all files but `hash`, each counted once: with metadata, with a reservation, or with both. */
async function readUsageBut(tx: WriteTransaction, workspaceId: string, hash: string): Promise<number> {
  const [row] = await tx.all<{ used: number }>(sql`
    select coalesce(sum(size), 0) as used from (
      select digest, max(size) as size from (
        select lower(substr(r.pk, instr(r.pk, ':') + 1)) as digest,
          min(max(cast(c.payload ->> 'size_bytes' as real), 0), 1e15) as size
        from records r
        cross join changes c on c.log_id = r.log_id and c.server_version = r.server_version
        where r.log_id = ${logOf(workspaceId)} and r.table_name = 'file_meta' and c.op = 'put'
          and c.payload ->> 'deleted' is not 1
        union all
        select lower(substr(hash, instr(hash, ':') + 1)), size_bytes
        from upload_intents where workspace_id = ${workspaceId})
      where digest <> ${digestOf(hash)}
      group by digest)`)
  return row!.used
}

function isIntent({ workspaceId, intentId }: { workspaceId: string, intentId: string }) {
  return and(eq(uploadIntents.workspaceId, workspaceId), eq(uploadIntents.id, intentId))
}

type FileFacts = Pick<UploadReservation, 'hash' | 'mimeType' | 'sizeBytes'>

function isSameFile(a: FileFacts, b: FileFacts): boolean {
  return a.hash === b.hash && a.mimeType === b.mimeType && a.sizeBytes === b.sizeBytes
}
