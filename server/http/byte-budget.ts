/**
 * One budget for the large bodies and answers in memory, of one user and in all. A body counts before it is read, an
 * answer until it was taken. A request waits for its part for a while and is refused then. Upholds P15.
 */
import { type H3Event, setResponseHeader } from 'h3'
import { budgetWaitMs } from '../../shared/limits.ts'
import { type FairnessSettings, readSyncSettings } from '../config/sync.ts'
import { createSyncError } from '../errors.ts'
import { countLimited } from '../lib/limit-counts.ts'
import { onRequestEnd } from './request-end.ts'

/** A part of the budget. */
export interface Lease {
  /** Changes what is held, without waiting: the bytes are in memory already. */
  resize(bytes: number): void
  /** Gives everything back; once more does nothing. */
  release(): void
}

export interface ByteBudget {
  /**
   * Resolves with the lease. Throws RATE_LIMITED where the user holds too much, SERVER_BUSY where all users together
   * do.
   */
  take(userId: string, bytes: number): Promise<Lease>
  /** Bytes held now. */
  readonly held: number
}

interface Options {
  readLimits: () => Pick<FairnessSettings, 'maxBytesInFlight' | 'maxUserBytesInFlight'>
  waitMs: number
}

interface Waiting { userId: string, bytes: number, admit: () => void }

/** Makes a budget of its own. */
export function createByteBudget({ readLimits, waitMs }: Options): ByteBudget {
  const byUser = new Map<string, number>()
  const waiting = new Set<Waiting>()
  let held = 0

  function add(userId: string, bytes: number) {
    held += bytes
    const left = (byUser.get(userId) ?? 0) + bytes
    if (left > 0) byUser.set(userId, left)
    else byUser.delete(userId)
  }

  /** A single one that is larger than the whole is let in alone, or it never would be. */
  const fitsUser = (userId: string, bytes: number) => {
    const own = byUser.get(userId) ?? 0
    return own === 0 || own + bytes <= readLimits().maxUserBytesInFlight
  }
  const fitsAll = (bytes: number) => held === 0 || held + bytes <= readLimits().maxBytesInFlight
  const fits = ({ userId, bytes }: Pick<Waiting, 'userId' | 'bytes'>) => fitsUser(userId, bytes) && fitsAll(bytes)

  function admitWaiting() {
    for (const one of waiting) {
      if (fits(one)) one.admit()
    }
  }

  function lease(userId: string, bytes: number): Lease {
    add(userId, bytes)
    let own = bytes
    let isOver = false
    const resize = (next: number) => {
      if (isOver) return
      add(userId, next - own)
      const isLess = next < own
      own = next
      if (isLess) admitWaiting()
    }
    return {
      resize,
      release() {
        resize(0)
        isOver = true
      },
    }
  }

  return {
    take(userId, bytes) {
      return new Promise((resolve, reject) => {
        if (fits({ userId, bytes })) return resolve(lease(userId, bytes))
        const giveUp = () => {
          waiting.delete(one)
          reject(fitsUser(userId, bytes)
            ? createSyncError('SERVER_BUSY', 'The server holds as many bytes as it may. Retry after 1s')
            : createSyncError(
                'RATE_LIMITED',
                'Rate limit exceeded: too many of your bytes are under way. Retry after 1s',
              ))
        }
        const timer = setTimeout(giveUp, waitMs)
        const one: Waiting = {
          userId,
          bytes,
          admit() {
            waiting.delete(one)
            clearTimeout(timer)
            resolve(lease(userId, bytes))
          },
        }
        waiting.add(one)
      })
    },
    get held() {
      return held
    },
  }
}

const budget = createByteBudget({ readLimits: readSyncSettings, waitMs: budgetWaitMs })

/** Bytes of bodies and answers in memory now. */
export function readBytesInFlight(): number {
  return budget.held
}

/**
 * Takes a part of the budget for as long as the request lasts: until its answer was taken, or its connection is gone.
 * Throws RATE_LIMITED and SERVER_BUSY with `Retry-After`.
 */
export async function takeBytes(event: H3Event, userId: string, bytes: number): Promise<Lease> {
  try {
    const lease = await budget.take(userId, bytes)
    // A request that the server makes of itself has no connection that would end.
    if (!onRequestEnd(event, lease.release)) lease.release()
    return lease
  }
  catch (error) {
    countLimited((error as { code?: string }).code === 'RATE_LIMITED' ? 'user-bytes' : 'bytes')
    setResponseHeader(event, 'Retry-After', 1)
    throw error
  }
}
