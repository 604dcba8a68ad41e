/**
 * T9: the n-th call of the database fails, for every n until none is left to fail. What was refused has changed nothing
 * or can be sent again; what was told as done is there; the next try succeeds. Upholds P1 to P3 and P9.
 */
import { DatabaseSync } from 'node:sqlite'
import { type Client, type InStatement, LibsqlError, type Transaction } from '@libsql/core/api'
import { sql } from 'drizzle-orm'
import type { Migrations } from '../../server/database/types.ts'
import { openDatabase } from '../../server/database/local/open.ts'
import { readDatabaseConfig } from '../../server/config/database.ts'
import { createAuthWorkspaceStore } from '../../server/host/auth-store.ts'
import { delegate } from '../../server/database/delegate.ts'
import { makeOp } from './devices.ts'
import { type Check, createLedger, findDamage } from './ledger.ts'
import { adapterOf, engineOf } from '../helpers/engine.ts'

export interface NthCallFigures extends Check {
  /** Calls made to fail, by scenario. */
  failed: Record<string, number>
  acked: number
  /** Faults that nobody was told of. */
  swallowed: string[]
  /** Tries without a fault that failed all the same. */
  stuck: string[]
}

/** Where a fault is due: counts down, and fails the call that it meets. */
interface Trap {
  armed: number
  sprung: boolean
}

const user = 'user-1'
const workspaceId = 'workspace-1'
const device = { workspaceId, deviceId: 'device-1' }
const event = {
  context: {
    __or3_session_context_1_test: { authenticated: true, provider: 'test', providerUserId: user, user: { id: user }, workspace: { id: workspaceId, name: 'W' }, role: 'owner' },
  },
} as never

export interface NthCallOptions {
  folder: string
  migrations: Migrations
  /** What becomes of the answer to a push; the control makes a success of each. */
  tell?: <T>(answer: Promise<T>, ops: ReturnType<typeof makeOp>[]) => Promise<T>
}

export async function runNthCall({ folder, migrations, tell = answer => answer }: NthCallOptions): Promise<NthCallFigures> {
  const trap: Trap = { armed: 0, sprung: false }
  const wrapClient = (client: Client) => trapClient(client, trap)
  const open = (path: string) => openDatabase(readDatabaseConfig({ OR3_SQLITE_DB_PATH: path, OR3_SQLITE_PRAGMA_SYNCHRONOUS: 'NORMAL' }), migrations, { wrapClient })
  const path = `${folder}/nth.db`
  const database = await open(path)
  const ledger = createLedger()
  const adapter = adapterOf(database)
  const store = createAuthWorkspaceStore(async () => database)
  const figures: Pick<NthCallFigures, 'failed' | 'swallowed' | 'stuck'> = { failed: {}, swallowed: [], stuck: [] }

  const pushSome = async () => {
    const ops = Array.from({ length: 5 }, () => makeOp(device))
    ledger.sent(workspaceId, ops)
    ledger.told(workspaceId, (await tell(adapter.push(event, { scope: { workspaceId }, ops }), ops)).results)
  }
  let visitor = 0
  const scenarios: Record<string, () => Promise<unknown>> = {
    'push': pushSome,
    'pull': () => adapter.pull(event, { scope: { workspaceId }, cursor: 0, limit: 100 }),
    'snapshot': () => adapter.snapshot(event, { scope: { workspaceId }, pageSize: 2 }),
    'clean-up': async () => {
      await untrapped(trap, async () => {
        for (let turn = 0; turn < 3; turn++) {
          const ops = Array.from({ length: 20 }, () => makeOp(device))
          await adapter.push(event, { scope: { workspaceId }, ops })
        }
        await database.write(tx => tx.run(sql`update changes set created_at = created_at - 7200`))
        await database.write(tx => tx.run(sql`update records set tombstone_at = tombstone_at - 7200`))
      })
      const { failures } = await engineOf(database).cleanAllWorkspaces({ retentionSeconds: 3_600 })
      if (failures[0]) throw failures[0].error
    },
    'session': async () => {
      const { userId } = await store.getOrCreateUser({ provider: 'test', providerUserId: `visitor-${visitor}` })
      await store.getOrCreateDefaultWorkspace(userId)
      visitor++
    },
    'migration': async () => {
      const fresh = await open(`${folder}/fresh-${figures.failed['migration'] ?? 0}.db`)
      await fresh.close()
    },
  }
  for (let turn = 0; turn < 10; turn++) await pushSome()
  const { 'clean-up': cleanUp, ...others } = scenarios
  for (const [name, scenario] of Object.entries(others)) await failEach(name, scenario)
  const found = ledger.check(path)
  // It drops from the log on purpose: after it, what SQLite itself finds and rows without their change count.
  await failEach('clean-up', cleanUp!)
  await database.close()
  return { ...figures, acked: ledger.acked, ...found, ...checkCleaned(path, found) }

  async function failEach(name: string, scenario: () => Promise<unknown>) {
    figures.failed[name] = 0
    for (let n = 1; ; n++) {
      Object.assign(trap, { armed: n, sprung: false })
      const told = await scenario().then(() => undefined, (error: unknown) => error ?? 'nothing')
      trap.armed = 0
      if (!trap.sprung) {
        if (told !== undefined) figures.stuck.push(`${name}: ${String(told)}`)
        return
      }
      figures.failed[name]++
      if (told === undefined && !mayGoUnseen.has(name)) figures.swallowed.push(`${name} ${n}`)
      await scenario().catch((error: unknown) => figures.stuck.push(`${name} ${n}: ${String(error)}`))
    }
  }
}

/** What a clean-up remembers of its last run is a comfort; a statement that only sets a connection up is done again. */
const mayGoUnseen = new Set(['clean-up', 'migration'])

async function untrapped(trap: Trap, work: () => Promise<void>) {
  const { armed } = trap
  trap.armed = 0
  await work()
  trap.armed = armed
}

function checkCleaned(path: string, { damage, lost }: Check): Pick<Check, 'damage' | 'lost'> {
  const reader = new DatabaseSync(path, { readOnly: true })
  const dangling = reader.prepare(
    'select count(*) as count from records r left join changes c using (log_id, server_version) where c.pk is null',
  ).get()!
  const found = { damage: [...damage, ...findDamage(reader)], lost: lost + Number(dangling['count']) }
  reader.close()
  return found
}

function trapClient(client: Client, trap: Trap): Client {
  const fault = () => {
    if (trap.armed === 0 || --trap.armed > 0) return false
    trap.sprung = true
    return true
  }
  const failing = async () => {
    throw new LibsqlError('disk I/O error', 'SQLITE_IOERR', undefined, 10)
  }
  const trapTransaction = (transaction: Transaction): Transaction => delegate(transaction, {
    execute: (statement: InStatement) => fault() ? failing() : transaction.execute(statement),
    executeMultiple: script => fault() ? failing() : transaction.executeMultiple(script),
    commit: () => fault() ? failing() : transaction.commit(),
  })
  return delegate(client, {
    execute: ((...args: Parameters<Client['execute']>) => (
      !isOfCheckpointer(args[0]) && fault() ? failing() : client.execute(...args)
    )) as Client['execute'],
    transaction: async (...mode: Parameters<Client['transaction']>) => {
      if (fault()) return failing()
      return trapTransaction(await client.transaction(...mode))
    },
  })
}

/** The checkpointer looks now and then how much was written, and again where it could not: nobody need be told. */
function isOfCheckpointer(statement: InStatement | string): boolean {
  return (typeof statement === 'string' ? statement : statement.sql).includes('total_changes()')
}
