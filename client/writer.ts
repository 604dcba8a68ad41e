/**
 * Brings commits to the store, one transaction at a time, and keeps memory equal to the store across tabs. Each
 * transaction has a number (`seq`); a tab that misses one loads the store again. A local write shows at once and is
 * stored in the order of writing. A change of what the server has confirmed is planned on memory and stored only if no
 * other tab has stored anything since, so several tabs that sync at once cannot overwrite each other's newer rows.
 */
import { mergeCommits } from './commit.ts'
import { createSequence } from './sequence.ts'
import type { State } from './state.ts'
import { createMemoryStorage } from './storage/memory.ts'
import { type Storage, StorageError, type StorageProblem, type StoreFile } from './storage/types.ts'
import type { TabMessage } from './tabs.ts'
import type { Commit, Meta, Segment } from './types.ts'

export interface Writer {
  readonly isDurable: boolean
  /** Why the store is not kept on disk. */
  readonly problem: StorageProblem | undefined
  /** Shows the commit at once; true once it is stored durably, false where it is kept in memory only. */
  write(commit: Commit): Promise<boolean>
  /** Stores what `plan` makes of a memory that equals the store; `plan` may be called again. */
  update(plan: () => Commit | undefined): Promise<void>
  stage(segments: Segment[]): Promise<void>
  dropStaged(): Promise<void>
  /** Puts a staged snapshot in place of everything; false where `plan` gives it up, as for a newer one. */
  swap(segments: Segment[], plan: () => Commit | undefined): Promise<boolean>
  /** Resolves when everything that was written before is stored. */
  settled(): Promise<void>
  /** Loads what another tab has stored without telling of it, as one that was killed. */
  refresh(): Promise<void>
  /** Loads the store again. */
  reload(): Promise<void>
  receive(message: TabMessage & { kind: 'commit' }): void
  close(): Promise<void>
}

export interface WriterOptions {
  name: string
  state: State
  storage: Storage
  /** What a new store begins with. */
  createInitial(): Meta
  post(message: TabMessage): void
  /** The store is no longer kept on disk; memory goes on as a device of its own. */
  onLost(): Commit
}

interface Job { run: () => Promise<void>, local?: { commit: Commit, done: (isDurable: boolean) => void } }

/** Opens the store, in memory where it cannot be kept on disk, and fills `state` from it. */
export async function openWriter(options: WriterOptions): Promise<Writer> {
  const { name, state, createInitial, post } = options
  const jobs: Job[] = []
  const sequence = createSequence(state, () => enqueue({ run: load }))
  let problem: StorageProblem | undefined
  let running: Promise<void> | undefined
  let isClosed = false
  let file: StoreFile

  async function openFirst(): Promise<StoreFile> {
    try {
      return await openAndLoad(options.storage)
    }
    catch (error) {
      problem = toProblem(error)
      return openAndLoad(createMemoryStorage())
    }
  }

  async function openAndLoad(storage: Storage): Promise<StoreFile> {
    const opened = await storage.open(name, leave)
    state.load(await opened.load(createInitial()))
    return opened
  }

  const leave = (error: StorageError) => enqueue({ run: async () => file.isDurable ? lose(error) : undefined })
  const enqueue = (job: Job) => {
    if (isClosed) return job.local?.done(false)
    jobs.push(job)
    running ??= work()
  }

  async function work(): Promise<void> {
    // One turn later, so that the writes of one action share a transaction.
    await undefined
    while (jobs.length > 0) {
      const locals = takeLocals()
      if (locals.length > 0) await storeLocals(locals)
      else await jobs.shift()!.run()
    }
    // In the same turn as the last check: a job that comes later starts the work again.
    running = undefined
  }

  function takeLocals() {
    const end = jobs.findIndex(({ local }) => !local)
    return jobs.splice(0, end < 0 ? jobs.length : end).map(({ local }) => local!)
  }

  async function storeLocals(locals: NonNullable<Job['local']>[]): Promise<void> {
    const commit = mergeCommits(locals.map(local => local.commit))
    const reapply = () => locals.forEach(local => state.apply(local.commit, false))
    const { seq } = await attempt(() => file.commit(commit), reapply)
    commit.putOps?.forEach(({ opId }) => state.outbox.markSaved(opId))
    if (file.isDurable) post({ kind: 'commit', seq, commit })
    sequence.settle(seq, { mustLoad: false })
    locals.forEach(({ done }) => done(file.isDurable))
  }

  /** Runs a transaction; where the store is gone, again on what takes its place. */
  async function attempt<T>(transaction: () => Promise<T>, reapply = () => {}): Promise<T> {
    for (;;) {
      try {
        return await transaction()
      }
      catch (error) {
        await lose(error, reapply)
      }
    }
  }

  async function lose(error: unknown, reapply = () => {}): Promise<void> {
    if (!file.isDurable) throw error
    const lost = file
    lost.close()
    try {
      if (toProblem(error) !== 'failed' || state.meta.seq === lostAt) throw error
      lostAt = state.meta.seq
      const before = state.meta.storeId
      const opened = await options.storage.open(name, leave)
      const stored = await opened.load(createInitial())
      if (stored.meta.storeId !== before || stored.meta.seq < state.meta.seq) {
        opened.close()
        // Another one has taken its place.
        throw new StorageError('deleted')
      }
      file = opened
      if (stored.meta.seq !== state.meta.seq) takeStored(stored, reapply)
    }
    catch (error) {
      await goOnInMemory(toProblem(error))
    }
  }
  /** The transaction after which the connection was last lost: a second time there is no third. */
  let lostAt = -1

  async function goOnInMemory(why: StorageProblem): Promise<void> {
    problem = why
    const commit = options.onLost()
    state.apply(commit, true)
    file = await createMemoryStorage().open(name, () => {})
    await file.load({ ...state.meta })
    await file.commit({
      ...commit,
      putOps: [...state.outbox.items],
      putFailures: [...state.failures.values()],
      entries: Object.fromEntries(Array.from(state.tables(), one => [one.name, [...one.confirmed.values()]])),
    })
    state.meta.seq++
    sequence.restart(true)
  }

  function takeStored(stored: Awaited<ReturnType<StoreFile['load']>>, reapply = () => {}): void {
    state.load(stored)
    reapply()
    for (const { local } of jobs) if (local) state.apply(local.commit, false)
    sequence.restart()
  }

  async function load(): Promise<void> {
    sequence.hold(true)
    try {
      const stored = await attempt(() => file.load(createInitial()))
      sequence.hold(false)
      takeStored(stored)
    }
    finally {
      sequence.hold(false)
    }
  }

  /** Waits until the tab that stored `seq` has told of it; where it does not, loads the store. */
  const catchUp = async (seq: number) => {
    if (!await sequence.waitFor(seq)) await load()
  }

  /** Runs a transaction only on a store that equals memory; false where `plan` had nothing to do. */
  async function storeGuarded(plan: () => Commit | undefined, isSwap = false): Promise<boolean> {
    for (;;) {
      if (sequence.newest !== undefined) await catchUp(sequence.newest)
      if (isClosed) return false
      const commit = plan()
      if (!commit) return false
      const planned = state.meta.seq
      const answer = await attempt(async () => {
        // Where the store was lost meanwhile, the plan was made for another one.
        return state.meta.seq === planned ? file.commit(commit, planned) : { isDone: false, seq: state.meta.seq }
      })
      if (answer.isDone) {
        tell(answer.seq, commit)
        if (!isSwap) sequence.settle(answer.seq, { commit, mustLoad: false })
        return true
      }
      await catchUp(answer.seq)
    }
  }

  function tell(seq: number, { fold, isSwap, ...rest }: Commit): void {
    if (!file.isDurable) return
    if (isSwap) post({ kind: 'commit', seq })
    else post({ kind: 'commit', seq, commit: rest, isFold: fold !== undefined })
  }

  file = await openFirst()
  const run = <T>(work: () => Promise<T>): Promise<T> => new Promise((resolve, reject) => {
    if (isClosed) return reject(new Error('The store is closed.'))
    enqueue({ run: () => work().then(resolve, reject) })
  })

  return {
    get isDurable() {
      return file.isDurable
    },
    get problem() {
      return problem
    },
    write(commit) {
      state.apply(commit, false)
      return new Promise(done => enqueue({ run: async () => {}, local: { commit, done } }))
    },
    update: plan => run(async () => void await storeGuarded(plan)),
    stage: segments => run(() => attempt(() => file.stage(segments))),
    dropStaged: () => run(() => attempt(() => file.dropStaged())),
    swap: (segments, plan) => run(async () => {
      let commit: Commit = {}
      const planSwap = () => {
        const planned = plan()
        return planned && (commit = { ...planned, isSwap: true })
      }
      if (!await storeGuarded(planSwap, true)) return false
      state.meta.seq++
      state.swap(segments, commit)
      sequence.drain()
      return true
    }),
    settled: () => run(async () => {}),
    refresh: () => run(async () => {
      const seq = await attempt(() => file.readSeq())
      if (seq > state.meta.seq) await catchUp(seq)
    }),
    reload: () => run(load),
    receive({ seq, commit, isFold }) {
      if (file.isDurable) sequence.settle(seq, { commit, isFold: isFold ?? false, mustLoad: commit === undefined })
    },
    async close() {
      if (running) await running.catch(() => {})
      isClosed = true
      sequence.close()
      file.close()
    },
  }
}

function toProblem(error: unknown): StorageProblem {
  return error instanceof StorageError ? error.problem : 'failed'
}
