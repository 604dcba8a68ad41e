/** The build-time files: what Nuxt takes for a module, which Node is too old, which Nuxt is supported. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { assertNodeVersion } from '../../../server/lib/node-version.ts'
import { oldestNuxt } from '../../nuxt/versions.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

// Nuxt scans `modules/*` and `modules/*/index.*` of every layer and runs each file it finds as a module.
it('has one file that Nuxt takes for a module', async () => {
  const files = await readdir(join(root, 'modules'), { recursive: true, withFileTypes: true })
  const scanned = files.filter(file => file.isFile() && (file.parentPath === join(root, 'modules') || /^index\./.test(file.name)))
  expect(scanned.map(file => file.name)).toEqual(['sync-layer.ts'])
})

it('names the Node that is too old, and takes every other', () => {
  for (const version of ['v18.20.0', 'v20.20.2', 'v22.18.0', 'v21.0.0']) {
    expect(() => assertNodeVersion(version)).toThrow(`or3-layer-sqlite needs Node 22.19 or 24.11, or a later one; this is ${version}.`)
  }
  for (const version of ['v22.19.0', 'v24.11.0', 'v26.0.0', process.version]) expect(() => assertNodeVersion(version)).not.toThrow()
})

it('says one oldest Nuxt everywhere', async () => {
  const read = (file: string) => readFile(join(root, file), 'utf8')
  const { peerDependencies, dependencies } = JSON.parse(await read('package.json')) as Record<string, Record<string, string>>
  expect([peerDependencies!['nuxt'], dependencies!['@nuxt/kit']]).toEqual(['^4.0.0', '^4.0.0'])
  expect(await read('modules/sync-layer.ts')).toContain('compatibility: { nuxt: \'>=4.0.0\' }')
  for (const file of ['README.md', 'docs/or3-chat.md']) expect(await read(file)).toContain('Nuxt 4.0')
  expect(oldestNuxt).toMatch(/^4\.0\./)
})
