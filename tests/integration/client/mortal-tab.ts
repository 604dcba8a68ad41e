/**
 * A tab that can die at any step of its storage: from then on nothing that it began goes on, its lock is free and its
 * channel closed, as when the browser ends it. What a transaction had stored stays.
 */
import {
  createIndexedDbStorage, createSyncClient, type Storage, type StoreFile, type SyncClientOptions, type SyncStore,
} from '../../../client/index.ts'
import { posts } from './devices.ts'

export interface MortalTab {
  readonly store: SyncStore
  readonly isDead: boolean
  /** Dies `before` or after its storage step number `step` from now on; 0 is the next one. */
  dieAt(step: number, before: boolean): void
  kill(): void
}

const never = new Promise<never>(() => {})

/** Opens a tab of the browser `profile`. Resolves to null where it dies while it opens. */
export async function openMortalTab(
  options: SyncClientOptions & { profile: string }, death?: { step: number, before: boolean },
): Promise<MortalTab | null> {
  let stepsLeft = death?.step ?? Infinity
  let diesBefore = death?.before ?? false
  let isDead = false
  let tellDeath = () => {}
  const died = new Promise<void>(resolve => (tellDeath = resolve))
  const channels: BroadcastChannel[] = []

  const kill = () => {
    isDead = true
    channels.forEach(channel => channel.close())
    tellDeath()
  }
  const step = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isDead) return never
    const isLast = stepsLeft-- === 0
    if (isLast && diesBefore) {
      kill()
      return never
    }
    const result = await work()
    if (isLast) kill()
    return isDead ? never : result
  }
  const inner = createIndexedDbStorage()
  const storage: Storage = {
    destroy: inner.destroy,
    async open(name, onLost) {
      const file = await step(() => inner.open(name, onLost))
      return {
        isDurable: true,
        load: initial => step(() => file.load(initial)),
        readSeq: () => step(() => file.readSeq()),
        commit: (commit, expect) => step(() => file.commit(commit, expect)),
        stage: segments => step(() => file.stage(segments)),
        dropStaged: () => step(() => file.dropStaged()),
        close: () => file.close(),
      } satisfies StoreFile
    },
  }
  const locks = options.locks === null ? null : createMortalLocks(died)
  const opening = trackChannels(channels, () => {
    const client = createSyncClient({ tables: [posts], isAutomatic: false, ...options, storage, locks })
    return client.open({ userId: 'user-1', workspaceId: 'w1' })
  })
  const store = await Promise.race([opening, died])
  if (!store || isDead) return null
  return {
    store,
    kill,
    get isDead() {
      return isDead
    },
    dieAt(at, before) {
      stepsLeft = at
      diesBefore = before
    },
  }
}

/** The locks that this tab holds are free when it dies. */
function createMortalLocks(died: Promise<void>): LockManager {
  const request = (name: string, options: LockOptions, work: (lock: Lock | null) => Promise<void>) =>
    navigator.locks.request(name, options, lock => Promise.race([work(lock), died]))
  return { request } as unknown as LockManager
}

/** Notes the channels that are made while `work` runs. */
async function trackChannels<T>(channels: BroadcastChannel[], work: () => Promise<T>): Promise<T> {
  const Original = globalThis.BroadcastChannel
  globalThis.BroadcastChannel = class extends Original {
    constructor(name: string) {
      super(name)
      channels.push(this)
    }

    /** What a dead tab still has under way says nothing more. */
    override close() {
      this.postMessage = () => {}
      super.close()
    }
  }
  try {
    return await work()
  }
  finally {
    globalThis.BroadcastChannel = Original
  }
}
