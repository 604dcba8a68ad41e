/** A whole sync client in plain JavaScript: rows in memory, edits offline, `sync()` to be called every few seconds. */
export function createTinyClient({ origin, workspaceId, headers = {}, deviceId = crypto.randomUUID() }) {
  const scope = { workspaceId }
  const rows = new Map() // by key: { tableName, pk, payload, clock, hlc, opId }; a payload of null is a tombstone
  let pending = [] // ops that wait for their receipt, oldest first
  const refused = [] // ops that are refused for good, each with its receipt: show them to the user
  let cursor = -1 // below 0: this device needs a snapshot
  let reported = { cursor: -1, at: 0 }

  const node = crypto.randomUUID().slice(0, 8)
  let last = { ms: 0, counter: 0 }

  /** The next stamp of the hybrid logical clock. */
  function tick() {
    const ms = Math.max(Date.now(), last.ms)
    last = { ms, counter: ms === last.ms ? last.counter + 1 : 0 }
    return `${ms.toString(36).padStart(9, '0')}:${last.counter.toString(36).padStart(3, '0')}:${node}`
  }

  /** Moves the clock past a stamp that was received, unless that is more than a day ahead. */
  function observe(hlc) {
    const [ms, counter] = hlc.split(':').map(part => Number.parseInt(part, 36))
    if (ms > Date.now() + 86_400_000) return
    if (ms > last.ms || (ms === last.ms && counter > last.counter)) last = { ms, counter }
  }

  const keyOf = ({ tableName, pk }) => JSON.stringify([tableName, pk])
  const isLater = (a, b) => !b || a.clock > b.clock
    || (a.clock === b.clock && (a.hlc > b.hlc || (a.hlc === b.hlc && a.opId > b.opId)))

  /** Takes a row, or a tombstone, where it wins over the one held. */
  function take(row) {
    observe(row.hlc)
    if (isLater(row, rows.get(keyOf(row)))) rows.set(keyOf(row), row)
  }

  function toRow({ tableName, pk, operation, payload, stamp: { clock, hlc, opId } }) {
    return { tableName, pk, payload: operation === 'put' ? payload : null, clock, hlc, opId }
  }

  /** A local edit: shown at once, sent by the next `sync()`. */
  function write(tableName, pk, operation, payload) {
    const clock = (rows.get(keyOf({ tableName, pk }))?.clock ?? 0) + 1
    const stamp = { deviceId, opId: crypto.randomUUID(), hlc: tick(), clock }
    const op = { tableName, operation, pk, payload, stamp }
    pending.push(op)
    take(toRow(op))
  }

  async function post(route, body) {
    const response = await fetch(`${origin}/api/sync/${route}`, {
      method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body),
    })
    const answer = await response.json()
    if (response.ok) return answer
    const wait = Number(response.headers.get('retry-after') ?? 0)
    throw Object.assign(new Error(answer.message), { status: response.status, ...answer.data, wait })
  }

  async function push() {
    for (let from = 0; from < pending.length;) {
      const ops = pending.slice(from, from + 100)
      const { results } = await post('push', { scope, ops })
      const settled = new Set()
      ops.forEach((op, index) => {
        const receipt = results[index]
        if (!receipt.success && receipt.retryable) return from++
        settled.add(op)
        if (receipt.success) return
        refused.push({ op, receipt })
        cursor = -1 // the edit is on the screen and not on the server: a snapshot puts that right
      })
      pending = pending.filter(op => !settled.has(op))
    }
  }

  async function takeSnapshot() {
    const items = []
    let page
    do {
      page = await post('snapshot', { scope, pageSize: 1000, pageToken: page?.nextPageToken ?? undefined })
      items.push(...page.items)
    } while (page.nextPageToken !== null)
    rows.clear()
    for (const { kind, tableName, pk, payload, revision } of items) {
      take({ tableName, pk, payload: kind === 'row' ? payload : null, ...revision })
    }
    pending.forEach(op => take(toRow(op)))
    cursor = page.highWatermark
  }

  async function pull() {
    if (cursor < 0) await takeSnapshot()
    for (let hasMore = true; hasMore;) {
      const page = await post('pull', { scope, cursor, limit: 500 })
      if (page.requiresSnapshot) {
        await takeSnapshot()
        continue
      }
      for (const { op: operation, ...change } of page.changes) take(toRow({ ...change, operation }))
      cursor = page.nextCursor
      hasMore = page.hasMore
    }
  }

  /** So that clean-up knows what this device has; once a minute is enough. */
  async function report() {
    if (cursor === reported.cursor || Date.now() - reported.at < 60_000) return
    reported = { cursor, at: Date.now() }
    await post('update-cursor', { scope, deviceId, version: cursor })
  }

  return {
    put: (tableName, pk, payload) => write(tableName, pk, 'put', payload),
    remove: (tableName, pk) => write(tableName, pk, 'delete'),
    rowsOf: tableName => [...rows.values()].filter(row => row.tableName === tableName && row.payload !== null),
    get pending() { return pending },
    refused,
    /** Throws what the server refuses, with `status`, `code`, `retryable` and `wait` in seconds. */
    async sync() {
      await push()
      await pull()
      await report()
    },
  }
}
