/** Health, metrics and the admin card read one condition. Seen red with each kind of failure left out. */
import { LibsqlError } from '@libsql/core/api'
import { consola, LogLevels } from 'consola'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createCondition } from '../../../server/database/condition.ts'
import { createSyncError } from '../../../server/errors.ts'

const failure = (code: string) => new Error('Failed query: … params: a secret', { cause: new LibsqlError(`text of ${code}`, code) })
let lines: string[] = []

beforeEach(() => {
  lines = []
  consola.level = LogLevels.info
  vi.useFakeTimers({ toFake: ['performance'] })
  const reporter = { log: ({ args, level }: { args: unknown[], level: number }) => void lines.push(`${level === LogLevels.error ? 'error' : 'info'} ${args.join(' ')}`) }
  consola.setReporters([reporter])
})
afterEach(() => vi.useRealTimers())

it.each([
  ['SQLITE_FULL', 'DATABASE_FULL'], ['SQLITE_IOERR', 'DATABASE_UNAVAILABLE'], ['SQLITE_READONLY', 'DATABASE_UNAVAILABLE'],
  ['SQLITE_BUSY', 'DATABASE_BUSY'], ['SQLITE_CANTOPEN', 'DATABASE_UNAVAILABLE'],
])('a write that failed with %s counts until one is committed', (sqlite, code) => {
  const condition = createCondition()
  condition.noteFailure(failure(sqlite), 'write')
  expect([condition.problem, condition.isWriteFailing]).toEqual([code, true])
  condition.noteCommit()
  expect([condition.problem, condition.isWriteFailing]).toEqual([null, false])
})

it.each(['read', 'write'] as const)('damage met by a %s counts for a minute, whatever else goes well', (kind) => {
  const condition = createCondition()
  condition.noteFailure(failure('SQLITE_CORRUPT'), kind)
  condition.noteCommit()
  vi.advanceTimersByTime(59_000)
  expect([condition.problem, condition.isWriteFailing]).toEqual(['DATABASE_UNAVAILABLE', false])
  vi.advanceTimersByTime(2_000)
  expect(condition.problem).toBeNull()
})

// Seen red where a failed read was taken for a write: it counted until somebody wrote.
it('a read that failed counts for a minute, and says nothing of writes', () => {
  const condition = createCondition()
  condition.noteFailure(failure('SQLITE_IOERR'), 'read')
  expect([condition.problem, condition.isWriteFailing]).toEqual(['DATABASE_UNAVAILABLE', false])
  vi.advanceTimersByTime(61_000)
  expect(condition.problem).toBeNull()
})

it('leaves out what a client or the program did wrong, and a read that met a lock', () => {
  const condition = createCondition()
  condition.noteFailure(createSyncError('CONFLICT', 'no'), 'write')
  condition.noteFailure(failure('SQLITE_CONSTRAINT'), 'write')
  condition.noteFailure(new TypeError('no'), 'write')
  condition.noteFailure(failure('SQLITE_BUSY'), 'read')
  expect([condition.problem, lines]).toEqual([null, []])
})

it('tells a lost file first, and throws before an acknowledgement', () => {
  let sentence: string | undefined
  const condition = createCondition(() => sentence)
  condition.noteFailure(failure('SQLITE_IOERR'), 'write')
  condition.assertInPlace()
  sentence = '/a.db was removed or renamed'
  expect(() => condition.assertInPlace()).toThrow(expect.objectContaining({ code: 'DATABASE_MOVED' }))
  expect([condition.problem, condition.isMoved]).toEqual(['DATABASE_MOVED', true])
  sentence = undefined
  condition.noteCommit()
  condition.assertInPlace()
  expect(condition.problem).toBeNull()
})

it('logs each turn once, with the driver\'s reason and no value of a query', () => {
  const condition = createCondition()
  for (let time = 0; time < 3; time++) condition.noteFailure(failure('SQLITE_IOERR'), 'write')
  condition.noteCommit()
  condition.noteCommit()
  expect(lines).toEqual([
    'error Health answers 503 with DATABASE_UNAVAILABLE from now on: SQLITE_IOERR: text of SQLITE_IOERR. See docs/troubleshooting.md.',
    'info Health answers 200 again: the last reads and writes of the database went well.',
  ])
})
