/** A device's way to the host: posts as one user, over a network that loses answers and sends requests twice. */
import type { PendingOp } from '../../../shared/protocol.ts'
import type { Chance } from '../../helpers/chance.ts'

export interface Answer<T> {
  status: number
  /** What the host said; of a refusal it is no T. */
  body: T
  /** Where the host asks for patience. */
  retryAfterMs: number | undefined
}

export interface Network {
  readonly user: string
  /** Null where no answer came: the host may have done what was asked. */
  post<T>(route: string, body: object): Promise<Answer<T> | null>
  /** How often in a hundred something goes wrong. */
  badness: number
  readonly lost: number
}

interface NetworkOptions { fetch: (path: string, init: RequestInit) => Promise<Response>, user: string, chance: Chance }

/** A device gives an op up that failed four times: one that failed twice gets through, unless the server is killed. */
const lastLostAttempt = 1

export function createNetwork({ fetch, user, chance }: NetworkOptions): Network {
  let lost = 0
  const headers = { 'x-user': user, 'content-type': 'application/json' }
  const network: Network = {
    user,
    badness: 0,
    get lost() {
      return lost
    },
    async post<T>(route: string, body: object) {
      const isBad = chance(100) < network.badness
      const isTwice = isBad && chance(2) === 0
      const send = () => fetch(route, { method: 'POST', headers, body: JSON.stringify(body) })
      try {
        if (isTwice) await (await send()).text()
        const response = await send()
        const text = await response.text()
        if (isBad && !isTwice && attemptsOf(body) <= lastLostAttempt) throw new Error('the answer got lost')
        const seconds = response.headers.get('retry-after')
        return { status: response.status, body: (text ? JSON.parse(text) : undefined) as T, retryAfterMs: seconds === null ? undefined : Number(seconds) * 1000 }
      }
      catch {
        lost++
        return null
      }
    },
  }
  return network
}

function attemptsOf(body: { ops?: readonly PendingOp[] }): number {
  return Math.max(0, ...(body.ops ?? []).map(op => op.attempts ?? 0))
}
