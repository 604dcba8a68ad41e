/** Who may read the files of a database, from the first byte on. */
import { watch } from 'node:fs'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { sql } from 'drizzle-orm'
import { expect, it, onTestFinished } from 'vitest'
import { backUp } from '../../../server/operations/backup.ts'
import { restoreBackup } from '../../../server/operations/restore.ts'
import { layerMigrations, makeTempFolder, openTestDatabase } from '../../helpers/database.ts'

const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

// Seen red before: 644 for each file, and 755 for the folders.
it('is the server\'s user alone, whatever the umask', async () => {
  const umask = process.umask(0)
  onTestFinished(() => void process.umask(umask))
  const folder = join(await makeTempFolder(), 'made', 'here')
  const path = join(folder, 'sync.db')
  const database = await openTestDatabase({ path })
  await database.write(tx => tx.run(sql`insert into layer_state (name, value) values ('a', 'b')`))
  const { name } = await backUp(database)
  expect(await modeOf(folder)).toBe('700')
  expect(await modeOf(join(folder, 'backups'))).toBe('700')
  for (const file of (await readdir(folder)).filter(one => one !== 'backups')) expect(await modeOf(join(folder, file)), file).toBe('600')
  expect(await modeOf(join(folder, 'backups', name))).toBe('600')
  await database.close()
  const restored = join(folder, 'elsewhere', 'other.db')
  await restoreBackup({ from: join(folder, 'backups', name), to: restored, migrations: layerMigrations })
  expect([await modeOf(join(folder, 'elsewhere')), await modeOf(restored)]).toEqual(['700', '600'])
})

// Seen red with the file made by SQLite: 644 until the copy was whole.
it('is so while a copy is made', async () => {
  const umask = process.umask(0)
  onTestFinished(() => void process.umask(umask))
  const database = await openTestDatabase()
  const folder = join(await makeTempFolder(), 'backups')
  await mkdir(folder)
  const seen = new Set<string>()
  const watcher = watch(folder, (_event, file) => {
    if (file) void modeOf(join(folder, file)).then(mode => seen.add(mode), () => {})
  })
  onTestFinished(() => watcher.close())
  await backUp(database, { folder })
  expect([...seen]).toEqual(['600'])
})
