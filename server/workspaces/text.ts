/**
 * Names, descriptions and addresses: refused or mended where they would not read back as they were written
 * (lib/storable-text.ts). Pure.
 */
import { domainToASCII } from 'node:url'
import { createSyncError } from '../errors.ts'
import { isStorable } from '../lib/storable-text.ts'

export const maxNameLength = 100
export const maxDescriptionLength = 1000
/** The longest address SMTP can carry. */
export const maxEmailLength = 320
export const maxDisplayNameLength = 256

/** A profile text as it can be stored; undefined where nothing is left. */
export function mendText(value: string | null | undefined, maxLength: number): string | undefined {
  const mended = value?.replaceAll('\0', '').trim().slice(0, maxLength).toWellFormed()
  return mended || undefined
}

/**
 * How addresses are compared. The part before the @ is trimmed and lower-case in ASCII letters only, as SQLite's
 * lower() has it: `toLowerCase()` also turns the Kelvin sign into a k, so two people's addresses could become one. The
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
  if (name.length >= 1 && name.length <= maxNameLength && isStorable(name)) return name
  throw createSyncError(
    'INVALID_REQUEST',
    `A workspace's name is 1 to ${maxNameLength} characters of well-formed text.`,
  )
}

/** The trimmed description; null and blank are none, undefined stays undefined. Throws INVALID_REQUEST. */
export function readDescription(value: string | null | undefined): string | null | undefined {
  if (value === null || value === undefined) return value
  const description = value.trim()
  if (description.length <= maxDescriptionLength && isStorable(description)) return description || null
  throw createSyncError(
    'INVALID_REQUEST',
    `A description is at most ${maxDescriptionLength} characters of well-formed text.`,
  )
}
