/**
 * Text that reads back as it was written: SQLite's driver ends a string at NUL and folds every lone surrogate into
 * one character, so that two different ids could become one. Ids are refused, profile texts are mended. Pure.
 */
import { createSyncError } from '../errors.ts'

/** Long enough for every provider's ids, short enough to be indexed. */
export const MAX_ID_LENGTH = 256
export const MAX_NAME_LENGTH = 100
export const MAX_DESCRIPTION_LENGTH = 1000
/** The longest address SMTP can carry. */
export const maxEmailLength = 320
export const MAX_DISPLAY_NAME_LENGTH = 256

export function isStorable(value: string): boolean {
  return value.isWellFormed() && !value.includes('\0')
}

export function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= MAX_ID_LENGTH && isStorable(value)
}

/** A profile text as it can be stored; undefined where nothing is left. */
export function mendText(value: string | null | undefined, maxLength: number): string | undefined {
  const mended = value?.replaceAll('\0', '').trim().slice(0, maxLength).toWellFormed()
  return mended || undefined
}

/**
 * Trimmed and lower-case: how invites compare addresses. ASCII letters only, as SQLite's lower() has it: `toLowerCase()`
 * makes a k of the Kelvin sign too, and so one person's address of another's.
 */
export function normalizeEmail(value: string): string {
  return value.trim().replaceAll(/[A-Z]+/g, letters => letters.toLowerCase())
}

/** The trimmed name of a workspace; throws INVALID_REQUEST. */
export function readWorkspaceName(value: string): string {
  const name = value.trim()
  if (name.length >= 1 && name.length <= MAX_NAME_LENGTH && isStorable(name)) return name
  throw createSyncError('INVALID_REQUEST', `A workspace's name is 1 to ${MAX_NAME_LENGTH} characters of well-formed text.`)
}

/** The trimmed description; null and blank are none, undefined stays undefined. Throws INVALID_REQUEST. */
export function readDescription(value: string | null | undefined): string | null | undefined {
  if (value === null || value === undefined) return value
  const description = value.trim()
  if (description.length <= MAX_DESCRIPTION_LENGTH && isStorable(description)) return description || null
  throw createSyncError('INVALID_REQUEST', `A description is at most ${MAX_DESCRIPTION_LENGTH} characters of well-formed text.`)
}
