/**
 * What the last real reads and writes met, for health, metrics and the admin card. Each turn to the worse is logged
 * once, with the reason; so is the turn back. Upholds P14.
 */
import { consola } from 'consola'
import type { ErrorCode } from '../../shared/error-codes.ts'
import { createSyncError, isSyncError } from '../errors.ts'
import { driverCode, toPublicError } from './driver-error.ts'

export interface Condition {
  /** The code of what is wrong now; null where the last reads and writes went well. */
  readonly problem: ErrorCode | null
  /** True where the last write failed, or the file was not in its place when it was last compared. */
  readonly isWriteFailing: boolean
  /** True where the file was not in its place when it was last compared. */
  readonly isMoved: boolean
  /**
   * Throws DATABASE_MOVED where the open file is not the one at its path. Called between a commit and its
   * acknowledgement.
   */
  assertInPlace(): void
  /** A commit was made and may be acknowledged. */
  noteCommit(): void
  /** A read or a write failed. Refusals and faults of the program are left out. */
  noteFailure(error: unknown, kind: 'read' | 'write'): void
  /** A statement of a write failed; what became of the write follows. Only damage counts here. */
  noteDamage(error: unknown): void
}

/**
 * Other rows may be read well beside a damaged page, so a failed read is told for a minute, like damage met by a write.
 */
const holdMs = 60_000

const damageCodes = new Set(['SQLITE_CORRUPT', 'SQLITE_NOTADB'])

interface Failure { code: ErrorCode, reason: string }

/** `findMoved` says in a sentence which file is not in its place; undefined where all are. */
export function createCondition(findMoved: () => string | undefined = () => undefined): Condition {
  const log = consola.withTag('or3-sync')
  let moved: Failure | undefined
  let write: Failure | undefined
  let read: Failure & { at: number } | undefined
  let told: Failure | undefined

  function look() {
    const sentence = findMoved()
    moved = sentence === undefined ? undefined : { code: 'DATABASE_MOVED', reason: sentence }
    if (read && performance.now() - read.at > holdMs) read = undefined
    tell()
  }

  function tell() {
    const now = moved ?? write ?? read
    if (now?.code === told?.code) return
    told = now
    if (now) log.error(`Health answers 503 with ${now.code} from now on: ${now.reason}. See docs/troubleshooting.md.`)
    else log.info('Health answers 200 again: the last reads and writes of the database went well.')
  }

  return {
    get problem() {
      look()
      return told?.code ?? null
    },
    get isWriteFailing() {
      return moved !== undefined || write !== undefined
    },
    get isMoved() {
      return moved !== undefined
    },
    assertInPlace() {
      look()
      if (moved) {
        throw createSyncError(
          'DATABASE_MOVED',
          'The database file is not in its place any more, so nothing is acknowledged. Try again later.',
        )
      }
    },
    noteCommit() {
      write = undefined
      tell()
    },
    noteDamage(error) {
      if (damageCodes.has(driverCode(error) ?? '')) this.noteFailure(error, 'write')
    },
    noteFailure(error, kind) {
      const known = isSyncError(error) ? error : toPublicError(error)
      if (!isSyncError(known) || known.code === 'DATABASE_MOVED' || driverCode(error) === undefined) return
      const failure = { code: known.code, reason: reasonOf(error) }
      if (known.code === 'DATABASE_BUSY' && kind === 'read') return
      if (kind === 'read' || damageCodes.has(driverCode(error)!)) read = { ...failure, at: performance.now() }
      else write = failure
      tell()
    },
  }
}

/** The driver's own words, which Drizzle keeps in `cause`. They may name a file and never hold a value. */
function reasonOf(error: unknown): string {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (driverCode(at) !== undefined && !(at.cause instanceof Error && driverCode(at.cause) !== undefined)) {
      return at.message
    }
  }
  return String(error)
}
