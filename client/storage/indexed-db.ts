/**
 * A store as one IndexedDB database. Rows are kept in segments, some thousand as one record of JSON text, which reads
 * several times faster than one record a row; fresh ones are single records (the tail) until they are folded in.
 */
import { deleteDB, type DBSchema, type IDBPDatabase, type IDBPTransaction, openDB } from 'idb'
import type { Commit, Entry, FailureRecord, Meta, OutboxItem, Segment } from '../types.ts'
import { type Storage, StorageError, type StorageProblem, type StoreFile, type Stored } from './types.ts'

interface Schema extends DBSchema {
  meta: { key: string, value: Meta | number }
  segments: { key: [number, number], value: Omit<Segment, 'entries'> & { text: string } }
  tail: { key: [string, string], value: { table: string, pk: string, entry: Entry } }
  ops: { key: string, value: OutboxItem }
  failures: { key: string, value: FailureRecord }
}
type StoreName = 'meta' | 'segments' | 'tail' | 'ops' | 'failures'
type Write = IDBPTransaction<Schema, StoreName[], 'readwrite'>

const storeNames: StoreName[] = ['meta', 'segments', 'tail', 'ops', 'failures']
const nodePrefix = 'node:'
const prefix = 'or3-sync:'
/** A private window or a blocked upgrade may leave `open` without an answer for ever. */
const openTimeoutMs = 3_000
/** A transaction of a page takes milliseconds; a browser whose storage process has died never answers. */
const commitTimeoutMs = 10_000

export interface IndexedDbOptions {
  /** Milliseconds that opening may take; 3,000. */
  openTimeoutMs?: number | undefined
  /** Milliseconds that one transaction may take; 10,000. */
  commitTimeoutMs?: number | undefined
}

/** Creates a storage on IndexedDB, one database a store. */
export function createIndexedDbStorage(options: IndexedDbOptions = {}): Storage {
  const limits = { open: options.openTimeoutMs ?? openTimeoutMs, commit: options.commitTimeoutMs ?? commitTimeoutMs }
  return {
    async open(name, onLost) {
      if (typeof indexedDB === 'undefined') throw new StorageError('absent')
      const database = await openDatabase(prefix + name, limits.open, onLost)
      return createFile(database, limits)
    },
    async destroy(name) {
      if (typeof indexedDB === 'undefined') return
      await limit(deleteDB(prefix + name), limits.open)
    },
    async list() {
      // Older browsers have no `databases`: what is open is all that is known there.
      const all = await globalThis.indexedDB?.databases?.() ?? []
      return all.filter(({ name }) => name?.startsWith(prefix)).map(({ name }) => name!.slice(prefix.length))
    },
  }
}

async function openDatabase(name: string, timeoutMs: number, onLost: (error: StorageError) => void) {
  let database: IDBPDatabase<Schema> | undefined
  const opening = openDB<Schema>(name, 1, {
    upgrade(fresh) {
      fresh.createObjectStore('meta')
      fresh.createObjectStore('segments', { keyPath: ['generation', 'id'] })
      fresh.createObjectStore('tail', { keyPath: ['table', 'pk'] })
      fresh.createObjectStore('ops', { keyPath: 'opId' })
      fresh.createObjectStore('failures', { keyPath: 'opId' })
    },
    // Another tab deletes the store or brings a newer format: holding on would block it.
    blocking(_current, blocked) {
      database?.close()
      onLost(new StorageError(blocked === null ? 'deleted' : 'upgraded'))
    },
    terminated: () => onLost(new StorageError('failed')),
  })
  try {
    database = await limit(opening, timeoutMs)
  }
  catch (error) {
    // One that opens after all must not stay open.
    void opening.then(late => late.close(), () => {})
    throw toStorageError(error)
  }
  return database
}

function createFile(database: IDBPDatabase<Schema>, limits: { open: number, commit: number }): StoreFile {
  /** Runs `work` in one transaction; durable means that it survives the tab, not a power cut. */
  const write = <T>(work: (transaction: Write) => Promise<T>): Promise<T> => guard(async () => {
    const transaction = database.transaction(storeNames, 'readwrite', { durability: 'relaxed' })
    const done = transaction.done.catch((error: unknown) => ({ error }))
    try {
      const result = await work(transaction)
      const failure = await done
      if (failure) throw failure.error
      return result
    }
    catch (error) {
      abort(transaction)
      throw error
    }
  }, limits.commit)

  return {
    isDurable: true,
    async load(initial) {
      const stored = await guard(() => readAll(database), limits.commit)
      if (stored.meta && stored.meta.format !== initial.format) throw new StorageError('upgraded')
      const meta = stored.meta ?? await write(async (transaction) => {
        const store = transaction.objectStore('meta')
        const known = await store.get('meta') as Meta | undefined
        if (!known) await store.put(initial, 'meta')
        return known ?? initial
      })
      return { ...stored, meta }
    },
    readSeq: () => guard(async () => {
      const meta = await database.get('meta', 'meta') as Meta | undefined
      return meta?.seq ?? 0
    }, limits.commit),
    commit: (commit, expect) => write(async (transaction) => {
      const store = transaction.objectStore('meta')
      const meta = await store.get('meta') as Meta | undefined
      if (!meta) throw new StorageError('deleted')
      if (expect !== undefined && expect !== meta.seq) return { isDone: false, seq: meta.seq }
      const next = { ...meta, ...commit.meta, seq: meta.seq + 1 }
      await Promise.all([store.put(next, 'meta'), ...storeCommit(transaction, commit, meta.generation)])
      if (commit.isSwap) await dropOthers(transaction, next.generation)
      return { isDone: true, seq: next.seq }
    }),
    stage: segments => write(async (transaction) => {
      await Promise.all(segments.map(segment => transaction.objectStore('segments').put(toRecord(segment))))
    }),
    dropStaged: () => write(async (transaction) => {
      const meta = await transaction.objectStore('meta').get('meta') as Meta | undefined
      if (meta) await dropOthers(transaction, meta.generation)
    }),
    close: () => database.close(),
  }
}

async function readAll(database: IDBPDatabase<Schema>): Promise<Omit<Stored, 'meta'> & { meta: Meta | undefined }> {
  const transaction = database.transaction(storeNames, 'readonly')
  const meta = await transaction.objectStore('meta').get('meta') as Meta | undefined
  const [keys, segments, tail, ops, failures] = await Promise.all([
    transaction.objectStore('meta').getAllKeys(),
    transaction.objectStore('segments').getAll(ofGeneration(meta?.generation ?? 0)),
    transaction.objectStore('tail').getAll(),
    transaction.objectStore('ops').getAll(),
    transaction.objectStore('failures').getAll(),
  ])
  const tailByTable: Record<string, Entry[]> = {}
  for (const { table, entry } of tail) (tailByTable[table] ??= []).push(entry)
  return {
    meta,
    nodes: keys.filter(key => key.startsWith(nodePrefix)).map(key => key.slice(nodePrefix.length)),
    // In the order of keys, as far as segments do not overlap: a list by key is sorted then.
    segments: segments.map(({ text, ...about }) => ({ ...about, entries: JSON.parse(text) as Entry[] }))
      .sort((a, b) => (a.entries[0]?.pk ?? '') < (b.entries[0]?.pk ?? '') ? -1 : 1),
    tail: tailByTable,
    ops,
    failures,
  }
}

function storeCommit(
  transaction: Write,
  { node, putOps, dropOps, entries, putFailures, dropFailures, fold, isSwap }: Commit,
  generation: number,
): Promise<unknown>[] {
  const tail = transaction.objectStore('tail')
  const ops = transaction.objectStore('ops')
  const failures = transaction.objectStore('failures')
  const segments = transaction.objectStore('segments')
  return [
    ...node ? [transaction.objectStore('meta').put(Date.now(), nodePrefix + node)] : [],
    ...(dropOps ?? []).map(opId => ops.delete(opId)),
    ...(putOps ?? []).map(item => ops.put(item)),
    ...(dropFailures ?? []).map(opId => failures.delete(opId)),
    ...(putFailures ?? []).map(failure => failures.put(failure)),
    ...fold || isSwap ? [tail.clear()] : [],
    ...Object.entries(entries ?? {}).flatMap(([table, list]) =>
      list.map(entry => tail.put({ table, pk: entry.pk, entry }))),
    ...(fold?.dropSegments ?? []).map(id => segments.delete([generation, id])),
    ...(fold?.segments ?? []).map(segment => segments.put(toRecord(segment))),
  ]
}

async function dropOthers(transaction: Write, generation: number): Promise<void> {
  const store = transaction.objectStore('segments')
  const others = (await store.getAllKeys()).filter(([its]) => its !== generation)
  await Promise.all(others.map(key => store.delete(key)))
}

function ofGeneration(generation: number): IDBKeyRange {
  return IDBKeyRange.bound([generation], [generation, []])
}

function toRecord({ entries, ...about }: Segment) {
  return { ...about, text: JSON.stringify(entries) }
}

function abort(transaction: Write): void {
  try {
    transaction.abort()
  }
  catch {
    // It has ended already.
  }
}

async function guard<T>(work: () => Promise<T>, timeoutMs: number): Promise<T> {
  try {
    return await limit(work(), timeoutMs)
  }
  catch (error) {
    throw toStorageError(error)
  }
}

function limit<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new StorageError('timeout')), timeoutMs)
  })
  return Promise.race([work, late]).finally(() => clearTimeout(timer))
}

const problems: Record<string, StorageProblem> = { QuotaExceededError: 'full', VersionError: 'upgraded' }

function toStorageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error
  return new StorageError(problems[error instanceof Error ? error.name : ''] ?? 'failed', error)
}
