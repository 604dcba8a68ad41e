/**
 * The rooms of the layer in a server that dies, or lies, where it is told to: what a random kill seldom hits. It stands
 * outside of the layer, which has no such switch: it counts what passes between a connection and Drizzle.
 * `CRASH_POINT=phase:where` and `CRASH_AT=n`, or a request to `/arm/phase:where/n`: at the n-th time. `ACK_EARLY=1`:
 * answers before the commit; `REMEMBER_HEAD=1`: pulls are answered by a head of a moment ago; `FILE_UNCHECKED=1`: the file is
 * taken for the same for ever (controls). A database server takes the place of the file where the address of one is given.
 */
import fs from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { syncBuiltinESMExports } from 'node:module'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Client, InStatement, Transaction } from '@libsql/core/api'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import { isError, type H3Event } from 'h3'
import { readDatabaseTarget } from '../../server/config/database.ts'
import { openDatabase } from '../../server/database/local/open.ts'
import { openRemoteDatabase } from '../../server/database/remote/open-remote.ts'
import type { SyncDatabase } from '../../server/database/types.ts'
import { isSyncError } from '../../server/errors.ts'
import { backUp } from '../../server/operations/backup.ts'
import { readHealth } from '../../server/operations/health.ts'
import { delegate } from '../../server/database/delegate.ts'
import { createUserCaller } from '../../server/sync/caller.ts'
import { errorKinds } from '../../shared/error-codes.ts'
import type { PullRequest, PushBatch, SnapshotRequest } from '../../shared/protocol.ts'
import { asRemembered, guessOutcome } from './wrong-remote.ts'
import { adapterOf, engineOf } from '../helpers/engine.ts'

const { CRASH_POINT = '', CRASH_AT = '1', ACK_EARLY, REMEMBER_HEAD, FILE_UNCHECKED } = process.env
const slowCommitMs = 30

if (FILE_UNCHECKED) forgetFiles()

let phase = 'migration'
let point = CRASH_POINT
let left = Number(CRASH_AT)

function pass(where: string) {
  if (point !== `${phase}:${where}` || --left > 0) return
  process.kill(process.pid, 'SIGKILL')
  // The signal may take a moment; nothing may happen in it.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}

function wrapTransaction(transaction: Transaction): Transaction {
  return delegate(transaction, {
    execute: (statement: InStatement) => {
      pass('statement')
      return transaction.execute(statement)
    },
    executeMultiple: (script) => {
      pass('statement')
      return transaction.executeMultiple(script)
    },
    commit: async () => {
      pass('before-commit')
      if (ACK_EARLY) await new Promise(resolve => setTimeout(resolve, slowCommitMs))
      await transaction.commit()
      pass('after-commit')
    },
  })
}

const wrapClient = (client: Client) => delegate(client, {
  transaction: async (...mode: Parameters<Client['transaction']>) => wrapTransaction(await client.transaction(...mode)),
})

const migrations = { layer: readMigrationFiles({ migrationsFolder: fileURLToPath(new URL('../../drizzle', import.meta.url)) }), app: [] }
const target = readDatabaseTarget(process.env)
const opening = 'url' in target ? openRemoteDatabase(target, migrations) : openDatabase(target, migrations, { wrapClient, ownerTimeoutMs: 1_000 })
const opened = await opening.catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
})
phase = 'push'

/** The control: a job's value is told as soon as it has run. */
const early: SyncDatabase = {
  ...opened,
  write: job => new Promise((resolve, reject) => {
    opened.write(async (tx) => {
      const value = await job(tx)
      resolve(value)
      return value
    }).catch(reject)
  }),
  grouped: opened.grouped && {
    // What it will become is told while the request to the database is under way.
    add: async (kind, item) => {
      const adding = opened.grouped!.add(kind, item)
      adding.catch(() => {})
      return guessOutcome(item as never, adding as Promise<never>) as never
    },
  },
}
const database = ACK_EARLY ? early : opened

const sessionOf = (user: string) => ({ user: { id: user }, workspace: { id: `workspace-of-${user}` } })

const readerOf = (user: string) => createUserCaller(sessionOf(user).workspace.id, user)

function eventOf(user: string): H3Event {
  const session = { authenticated: true, provider: 'test', providerUserId: user, role: 'owner', ...sessionOf(user) }
  return { context: { __or3_session_context_1_test: session } } as unknown as H3Event
}

async function serve(request: IncomingMessage): Promise<unknown> {
  const user = String(request.headers['x-demo-user'])
  const body = await readBody(request)
  const [, arm, at] = /^\/arm\/([\w:-]+)\/(\d+)$/.exec(request.url ?? '') ?? []
  if (arm) {
    point = arm
    left = Number(at)
    return {}
  }
  switch (request.url) {
    case '/api/auth/session': return { session: sessionOf(user) }
    case '/api/sync/pull': {
      const answer = await adapterOf(database).pull(eventOf(user), JSON.parse(body) as PullRequest)
      return REMEMBER_HEAD ? asRemembered(answer, JSON.parse(body) as PullRequest) : answer
    }
    case '/api/sync/push': return adapterOf(database).push(eventOf(user), JSON.parse(body) as PushBatch)
    case '/api/sync/snapshot': return engineOf(database).snapshot(readerOf(user), JSON.parse(body) as SnapshotRequest)
    case '/clean-up':
      phase = 'clean-up'
      return engineOf(database).cleanAllWorkspaces({ retentionSeconds: 3_600 })
    case '/back-up':
      phase = 'backup'
      if (point === 'backup:copying') setTimeout(() => pass('copying'), left * 40)
      left = 1
      return backUp(database.local)
  }
  throw new Error('404')
}

/** Every comparison finds what the first one found. */
function forgetFiles() {
  const real = fs.statSync
  const first = new Map<string, unknown>()
  const remember = (path: string, options?: fs.StatSyncOptions) => {
    if (!options?.bigint) return real(path, options)
    if (!first.has(path)) first.set(path, real(path, options))
    return first.get(path)
  }
  Object.assign(fs, { statSync: remember })
  syncBuiltinESMExports()
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

const server = createServer((request, response) => {
  if (request.url === '/api/health') {
    return void readHealth(engineOf(database)).then(({ status, health }) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(health))
    })
  }
  serve(request).then((answer) => {
    const text = JSON.stringify(answer)
    if (request.url === '/api/sync/push') pass('before-answer')
    response.setHeader('content-length', Buffer.byteLength(text))
    response.write(text.slice(0, text.length / 2), () => {
      if (request.url === '/api/sync/push') pass('half-answer')
      response.end(text.slice(text.length / 2))
    })
  }, (error: unknown) => {
    const code = isSyncError(error) ? error.code : isError<{ code: string }>(error) ? error.data?.code : undefined
    response.statusCode = isSyncError(error) ? errorKinds[error.code].status : isError(error) ? error.statusCode : 500
    response.end(JSON.stringify({ message: String(error), code }))
  })
})
server.listen(0, '127.0.0.1', () => console.log(`Listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`))
process.on('SIGTERM', () => {
  server.closeAllConnections()
  server.close(() => void opened.close().then(() => process.exit(0)))
})
