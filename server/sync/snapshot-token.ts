/**
 * A page token says where a snapshot goes on and for whom. It is signed with a key from the database, so that it
 * survives a restart and cannot be forged. It names its workspace and user only by a digest.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { eq } from 'drizzle-orm'
import type { SyncDatabase } from '../database/types.ts'
import { layerState } from '../database/schema/index.ts'
import { createSyncError } from '../errors.ts'
import type { UserCaller } from './caller.ts'
import type { EngineContext } from './context.ts'
import { snapshotTtlSeconds } from '../../shared/limits.ts'

export interface SnapshotPosition {
  snapshotId: string
  highWatermark: number
  /** The sorted table names as JSON; null for all. */
  filter: string | null
  /** The last key of the page before. */
  tableName: string
  pk: string
}

export interface SnapshotToken extends SnapshotPosition {
  /** By the database's clock. */
  expiresAt: number
}

type Header = [snapshotId: string, highWatermark: number, tableName: string, expiresAt: number,
  workspace: string, user: string, filter: string]

/**
 * Makes the token; `now` is the database's moment. At most 4,096 characters for every key: the pk travels as UTF-16,
 * outside of the JSON.
 */
export async function writeSnapshotToken(
  { readTokenKey }: EngineContext, caller: UserCaller, position: SnapshotPosition, now: number,
): Promise<string> {
  const header: Header = [
    position.snapshotId, position.highWatermark, position.tableName, now + snapshotTtlSeconds,
    digest(caller.workspaceId), digest(caller.userId), digest(position.filter),
  ]
  const body = `${encode(JSON.stringify(header), 'utf8')}.${encode(position.pk, 'utf16le')}`
  return `${body}.${sign(await readTokenKey(), body)}`
}

/** Reads and checks a token, but for its end. Throws INVALID_REQUEST or FORBIDDEN: see `snapshot`. */
export async function readSnapshotToken(
  { readTokenKey }: EngineContext, caller: UserCaller, token: string, filter: string | null,
): Promise<SnapshotToken> {
  const body = token.slice(0, token.lastIndexOf('.'))
  const [header, pk] = body.split('.')
  const expected = Buffer.from(sign(await readTokenKey(), body))
  const given = Buffer.from(token.slice(body.length + 1))
  if (!header || pk === undefined || given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw createSyncError(
      'INVALID_REQUEST', 'Invalid snapshot request: pageToken: is not one of this server; start over without it',
    )
  }
  const [snapshotId, highWatermark, tableName, expiresAt, workspace, user, tables]
    = JSON.parse(Buffer.from(header, 'base64url').toString()) as Header
  if (workspace !== digest(caller.workspaceId) || user !== digest(caller.userId)) {
    throw createSyncError('FORBIDDEN', 'The pageToken is of another workspace or user')
  }
  if (tables !== digest(filter)) {
    throw createSyncError('INVALID_REQUEST', 'Invalid snapshot request: tables: must stay the same from page to page')
  }
  const pkText = Buffer.from(pk, 'base64url').toString('utf16le')
  return { snapshotId, highWatermark, filter, tableName, pk: pkText, expiresAt }
}

/**
 * Gives the key that signs page tokens, which lives in the database. It is made at the first use; two first uses at
 * once agree, since the writer is one.
 */
export function createTokenKey(database: SyncDatabase): () => Promise<string> {
  let key: Promise<string> | undefined
  return () => {
    key ??= readOrMakeKey(database).catch((error: unknown) => {
      // The error of a busy database must not be kept.
      key = undefined
      throw error
    })
    return key
  }
}

/** Reads first: only the very first token needs a write. */
async function readOrMakeKey(database: SyncDatabase): Promise<string> {
  const [known] = await database.read.select().from(layerState).where(eq(layerState.name, keyName))
  if (known) return known.value
  return database.write(async (tx) => {
    await tx.insert(layerState)
      .values({ name: keyName, value: randomBytes(32).toString('base64url') })
      .onConflictDoNothing()
    const [row] = await tx.select().from(layerState).where(eq(layerState.name, keyName))
    return row!.value
  })
}

const keyName = 'snapshot_key'

function sign(key: string, body: string): string {
  return createHmac('sha256', key).update(body).digest('base64url')
}

function digest(text: string | null): string {
  return createHash('sha256').update(JSON.stringify(text)).digest('base64url').slice(0, 22)
}

function encode(text: string, encoding: BufferEncoding): string {
  return Buffer.from(text, encoding).toString('base64url')
}
