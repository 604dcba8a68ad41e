/**
 * Text that reads back as it was written: SQLite's driver ends a string at NUL and folds every lone surrogate into
 * one character, so that two different ids could become one. Ids are refused, profile texts are mended. Pure.
 */
import { domainToASCII } from 'node:url'
import { createSyncError } from '../errors.ts'

/** Long enough for every provider's ids, short enough to be indexed. */
export const MAX_ID_LENGTH = 256
export const MAX_NAME_LENGTH = 100
export const MAX_DESCRIPTION_LENGTH = 1000
/** The longest address SMTP can carry. */
export const maxEmailLength = 320
export const MAX_DISPLAY_NAME_LENGTH = 256

/** Whether every database keeps the text as it is. */
export function isStorable(value: string): boolean {
  return value.isWellFormed() && !value.includes('\0')
}

/** Whether the value can be an id. */
export function isId(value: unknown): value is string {
  return typeof value === 'string' && value.length >= 1 && value.length <= MAX_ID_LENGTH && isStorable(value)
}

/** A profile text as it can be stored; undefined where nothing is left. */
export function mendText(value: string | null | undefined, maxLength: number): string | undefined {
  const mended = value?.replaceAll('\0', '').trim().slice(0, maxLength).toWellFormed()
  return mended || undefined
}

/**
 * How addresses are compared. The part before the @ is trimmed and lower-case in ASCII letters only, as SQLite's
 * lower() has it: `toLowerCase()` makes a k of the Kelvin sign too, and so one person's address of another's. The
 * domain is compared as DNS has it: IDNA, without a dot at its end.
 */
export function normalizeEmail(value: string): string {
  const email = value.trim().replaceAll(/[A-Z]+/g, letters => letters.toLowerCase())
  const at = email.lastIndexOf('@')
  const domain = domainToASCII(email.slice(at + 1).replace(/\.$/, ''))
  return at === -1 || domain === '' ? email : `${email.slice(0, at + 1)}${domain}`
}

/** True where a normalized text can be an address at all. It says nothing of whether mail arrives there. */
export function isEmail(value: string): boolean {
  return value.length <= maxEmailLength && isStorable(value)
    && /^[^\s@:<>()[\],;"\\]+@[^\s@:/.]+(?:\.[^\s@:/.]+)*$/.test(value)
}

/** The trimmed name of a workspace; throws INVALID_REQUEST. */
export function readWorkspaceName(value: string): string {
  const name = value.trim()
  if (name.length >= 1 && name.length <= MAX_NAME_LENGTH && isStorable(name)) return name
  throw createSyncError(
    'INVALID_REQUEST',
    `A workspace's name is 1 to ${MAX_NAME_LENGTH} characters of well-formed text.`,
  )
}

/** The trimmed description; null and blank are none, undefined stays undefined. Throws INVALID_REQUEST. */
export function readDescription(value: string | null | undefined): string | null | undefined {
  if (value === null || value === undefined) return value
  const description = value.trim()
  if (description.length <= MAX_DESCRIPTION_LENGTH && isStorable(description)) return description || null
  throw createSyncError(
    'INVALID_REQUEST',
    `A description is at most ${MAX_DESCRIPTION_LENGTH} characters of well-formed text.`,
  )
}
