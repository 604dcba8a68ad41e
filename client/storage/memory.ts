/** Keeps stores as long as the page lives: where there is no IndexedDB, or no longer. */
import type { Commit, Entry, FailureRecord, Meta, OutboxItem, Segment } from '../types.ts'
import type { Storage, StoreFile } from './types.ts'

interface Content {
  meta: Meta | undefined
  nodes: Set<string>
  segments: Map<number, Segment>
  tail: Map<string, { table: string, entry: Entry }>
  ops: Map<string, OutboxItem>
  failures: Map<string, FailureRecord>
}

/** Creates a storage in memory. What it holds is gone with it. */
export function createMemoryStorage(): Storage {
  const contents = new Map<string, Content>()
  return {
    async open(name) {
      let content = contents.get(name)
      if (!content) contents.set(name, content = createContent())
      return openContent(content)
    },
    async destroy(name) {
      contents.delete(name)
    },
    async list() {
      return [...contents.keys()]
    },
  }
}

function createContent(): Content {
  return {
    meta: undefined, nodes: new Set(), segments: new Map(), tail: new Map(), ops: new Map(), failures: new Map(),
  }
}

function openContent(content: Content): StoreFile {
  const dropOthers = (generation: number) => {
    for (const { id, generation: its } of content.segments.values()) if (its !== generation) content.segments.delete(id)
  }
  return {
    isDurable: false,
    async load(initial) {
      const meta = content.meta ??= initial
      const tail: Record<string, Entry[]> = {}
      for (const { table, entry } of content.tail.values()) (tail[table] ??= []).push({ ...entry })
      const segments = [...content.segments.values()].filter(({ generation }) => generation === meta.generation)
      return {
        meta: { ...meta },
        nodes: [...content.nodes],
        segments: segments.map(segment => ({ ...segment, entries: segment.entries.map(entry => ({ ...entry })) })),
        tail,
        ops: [...content.ops.values()],
        failures: [...content.failures.values()],
      }
    },
    async readSeq() {
      return content.meta!.seq
    },
    async commit(commit, expect) {
      const meta = content.meta!
      if (expect !== undefined && expect !== meta.seq) return { isDone: false, seq: meta.seq }
      Object.assign(meta, commit.meta, { seq: meta.seq + 1 })
      store(content, commit)
      if (commit.isSwap) dropOthers(meta.generation)
      return { isDone: true, seq: meta.seq }
    },
    async stage(segments) {
      for (const segment of segments) content.segments.set(segment.id, segment)
    },
    async dropStaged() {
      dropOthers(content.meta!.generation)
    },
    close() {},
  }
}

function store(content: Content, { node, putOps, dropOps, entries, putFailures, dropFailures, fold, isSwap }: Commit) {
  if (node) content.nodes.add(node)
  for (const opId of dropOps ?? []) content.ops.delete(opId)
  for (const item of putOps ?? []) content.ops.set(item.opId, item)
  for (const opId of dropFailures ?? []) content.failures.delete(opId)
  for (const failure of putFailures ?? []) content.failures.set(failure.opId, failure)
  if (fold || isSwap) content.tail.clear()
  for (const [table, list] of Object.entries(entries ?? {})) {
    for (const entry of list) content.tail.set(JSON.stringify([table, entry.pk]), { table, entry })
  }
  for (const id of fold?.dropSegments ?? []) content.segments.delete(id)
  for (const segment of fold?.segments ?? []) content.segments.set(segment.id, segment)
}
