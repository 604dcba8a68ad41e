/**
 * The floor: hand-tuned prepared statements on Node's built-in SQLite, the minimum equivalent reads and writes on the
 * layer's own schema, in one transaction at the same durability. No validation, no receipts, no other users.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { fileURLToPath } from 'node:url'
import { type Open, profileOf, workspaceId } from './implementation.ts'

interface LogRow { server_version: number, table_name: string, pk: string, op: string, clock: number, hlc: string, device_id: string, op_id: string, payload: string }

export const open: Open = async (path) => {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON')
  const folder = fileURLToPath(new URL('../../drizzle', import.meta.url))
  for (const { sql } of readMigrationFiles({ migrationsFolder: folder })) for (const statement of sql) database.exec(statement)
  const sqlOf = (name: string) => database.prepare(readFileSync(new URL(`floor/${name}.sql`, import.meta.url), 'utf8'))

  const begin = database.prepare('BEGIN IMMEDIATE')
  const commit = database.prepare('COMMIT')
  const head = sqlOf('head')
  const seen = sqlOf('seen')
  const winner = sqlOf('winner')
  const append = sqlOf('append')
  const point = sqlOf('point')
  const move = sqlOf('move')
  const page = sqlOf('page')
  const tablePage = sqlOf('table-page')
  const snapshotPage = sqlOf('snapshot-page')
  const user = sqlOf('user')
  const active = sqlOf('active')
  const role = sqlOf('role')
  const setProfile = sqlOf('set-profile')
  const inserts = ['insert-user', 'insert-account', 'insert-workspace', 'insert-member', 'activate'].map(sqlOf)
  const { id: logId } = database.prepare('insert into logs (workspace_id, head) values (?, 0) returning id').get(workspaceId) as { id: number }
  const now = Math.floor(Date.now() / 1000)

  return {
    async push(ops) {
      begin.run()
      const { id: log, head: before } = head.get(workspaceId) as { id: number, head: number }
      let version = before
      const results = ops.map(({ tableName, pk, payload, stamp: { opId, clock, hlc, deviceId } }) => {
        const repeat = seen.get(log, opId) as { server_version: number } | undefined
        if (repeat) return { opId, success: true, serverVersion: repeat.server_version }
        const known = winner.get(log, tableName, pk) as { server_version: number, clock: number, hlc: string, op_id: string } | undefined
        const wins = !known || clock > known.clock || (clock === known.clock && (hlc > known.hlc || (hlc === known.hlc && opId > known.op_id)))
        version++
        append.run(log, version, tableName, pk, 'put', clock, hlc, deviceId, opId, null,
          wins ? known?.server_version ?? null : version, now, JSON.stringify(payload))
        if (wins) point.run(log, tableName, pk, version)
        return { opId, success: true, serverVersion: version }
      })
      if (version > before) move.run(version, log)
      commit.run()
      return { results, serverVersion: version }
    },
    async pull(cursor, limit, tables) {
      const rows = (tables ? tablePage.all(logId, tables[0]!, cursor, limit) : page.all(logId, cursor, limit)) as unknown as LogRow[]
      const changes = rows.map(row => ({
        serverVersion: row.server_version, tableName: row.table_name, pk: row.pk, op: row.op, payload: JSON.parse(row.payload) as unknown,
        stamp: { deviceId: row.device_id, opId: row.op_id, hlc: row.hlc, clock: row.clock },
      }))
      return { changes, nextCursor: rows.at(-1)?.server_version ?? cursor, hasMore: rows.length === limit }
    },
    async snapshotPage(pageSize, next) {
      const [table, pk] = next === null ? ['', ''] : JSON.parse(next) as [string, string]
      const rows = snapshotPage.all(logId, table, pk, pageSize) as unknown as LogRow[]
      const items = rows.map(row => ({
        kind: 'row', tableName: row.table_name, pk: row.pk, payload: JSON.parse(row.payload) as unknown,
        revision: { clock: row.clock, hlc: row.hlc, opId: row.op_id },
      }))
      const last = rows.at(-1)
      return { items, next: rows.length === pageSize && last ? JSON.stringify([last.table_name, last.pk]) : null }
    },
    async session(account) {
      const { email, displayName } = profileOf(account)
      let known = user.get('bench', account) as { user_id: string, email: string, display_name: string } | undefined
      if (!known) {
        const userId = randomUUID()
        const workspace = randomUUID()
        begin.run()
        inserts[0]!.run(userId, email, displayName, now)
        inserts[1]!.run('bench', account, userId, now)
        inserts[2]!.run(workspace, 'My Workspace', now)
        inserts[3]!.run(workspace, userId, 'owner', now)
        inserts[4]!.run(workspace, userId)
        commit.run()
        known = { user_id: userId, email, display_name: displayName }
      }
      if (known.email !== email || known.display_name !== displayName) setProfile.run(email, displayName, known.user_id)
      const { id } = active.get(known.user_id) as { id: string }
      return role.get(id, known.user_id)
    },
    async close() {
      database.exec('PRAGMA wal_checkpoint(TRUNCATE)')
      database.close()
    },
  }
}
