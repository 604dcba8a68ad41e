import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { stat } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { draw, createProgressBar } from '../../../cli/import/progress-bar.ts'
import { createReport } from '../../../cli/import/report.ts'
import { runImport } from '../../../cli/import/run.ts'
import { createSource } from '../../../cli/import/source.ts'
import { writeSummary } from '../../../cli/import/summary.ts'
import { importHistory } from '../../../cli/import/sync-history.ts'
import { verifyImport } from '../../../cli/import/verify.ts'
import { createOldServer } from '../../fixtures/incumbent/old-database.ts'
import { layerMigrations, openTestDatabase } from '../../helpers/database.ts'
import { messageOf } from '../../helpers/sync.ts'
import { makeOldFile } from './moved.ts'

async function setUp() {
  const old = await makeOldFile()
  const server = createOldServer(old.database, 'w1')
  for (const pk of ['a', 'b', 'c']) server.push({ pk, payload: messageOf(pk), clock: 1 })
  server.push({ pk: 'a', payload: messageOf('a', { clock: 2 }), clock: 2 })
  server.push({ pk: 'b', op: 'delete', clock: 2 })
  server.cleanLog(3)
  const source = createSource(old.database, old.from)
  const database = await openTestDatabase()
  const report = createReport(17)
  await importHistory(database, source, report, () => {})
  return { ...old, database, verify: () => verifyImport(database, source, report, () => {}) }
}

it.each([
  ['a payload that differs in one digit', 'update changes set payload = replace(payload, \'"clock":2\', \'"clock":3\') where pk = \'a\'', 'log'],
  ['a row that was made up', 'update changes set payload = replace(payload, \'"role":"user"\', \'"role":"User"\') where pk = \'c\'', 'row messages c'],
  ['a log row that is missing', 'delete from changes where pk = \'a\'', 'number of changes'],
  ['a log row that moved', 'update changes set server_version = 1 where pk = \'a\'', 'log'],
  ['a winner that is not the greatest', 'update changes set clock = 1 where pk = \'b\'', 'log'],
  ['a row that is missing', 'delete from records where pk = \'c\'', 'row messages c'],
  ['a row too many', 'insert into records (log_id, table_name, pk, server_version) select log_id, table_name, \'z\', server_version from records where pk = \'c\'', 'fingerprint'],
  ['a head that went back', 'update logs set head = 4', 'head'],
  ['another op id', 'update changes set op_id = lower(hex(randomblob(16))) where pk = \'c\'', 'fingerprint'],
])('finds %s', async (_, statement, what) => {
  const { database, verify } = await setUp()
  await verify()
  await database.write(tx => tx.run(statement))
  await expect(verify()).rejects.toThrow(new RegExp(`differs from the old one in workspace w1: ${what}`))
})

it('refuses what was written to while it was read, and puts nothing in place', async () => {
  const { from, to, database } = await makeOldFile()
  createOldServer(database, 'w1').push({ pk: 'a', payload: messageOf('a'), clock: 1 })
  database.close()
  let hasWritten = false
  const onProgress = () => {
    if (hasWritten) return
    hasWritten = true
    const other = new DatabaseSync(from)
    other.exec('update server_version_counter set value = 7')
    other.close()
  }
  await expect(runImport({ from, to, migrations: layerMigrations, onProgress })).rejects.toThrow('changed while it was read')
  expect(hasWritten).toBe(true)
  await expect(stat(to)).rejects.toThrow('ENOENT')
  await runImport({ from, to: join(to, '../second.db'), migrations: layerMigrations })
})

it('says so where the old schema is newer than those it was tried with', async () => {
  const sentence = (revision: number) => {
    let text = ''
    writeSummary({ write: (part: string) => text += part }, createReport(revision), 'new.db')
    return /schema is .*/.exec(text)?.[0]
  }
  expect([sentence(17), sentence(25)]).toEqual([undefined, 'schema is 25, newer than 17: tables that came since are left behind.'])
})

it('draws a bar on a terminal and lines elsewhere', () => {
  expect(draw({ phase: 'Copying', done: 5, total: 10 }, 60)).toBe('Copying [###################-------------------]  50 % 5/10')
  expect(draw({ phase: 'Copying', done: 0, total: 0 }, 20)).toBe('Copying 100 % 0/0')
  const written: string[] = []
  const show = (isTTY: boolean) => {
    written.length = 0
    let now = 0
    const bar = createProgressBar({ isTTY, columns: 40, write: text => written.push(text) }, () => now)
    for (let done = 0; done <= 100; done++, now += 10) bar.show({ phase: 'Comparing', done, total: 100 })
    bar.clear()
    return [...written]
  }
  expect(show(false)).toEqual(['Comparing 100 rows\n'])
  const drawn = show(true)
  expect(drawn.length).toBeLessThan(20)
  expect(drawn.at(-2)).toContain('100 % 100/100')
})
