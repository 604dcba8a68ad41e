/**
 * The two sign-in examples, built as `builds.ts` builds the other fixtures: beside the packed layer that `app-consumer`
 * has in its node_modules, with what npm adds for their own package.json. A build is kept beside the one it is made of.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildFixture, root, runNuxt } from './builds.ts'

const run = promisify(execFile)

/** What a build or an editor's tools leave behind is none of its sources. */
const isSource = (path: string) => !/(^|\/)(node_modules|\.nuxt|\.output|\.data)(\/|$)/.test(path)

/** The `.output` of a fixture that extends the layer. */
export async function buildSignInApp(fixture: string): Promise<string> {
  const source = join(root, 'tests/fixtures', fixture)
  const consumer = await buildFixture({ fixture: 'app-consumer', packageName: 'or3-layer-sqlite' })
  const folder = `${consumer.folder}-${fixture}-${await hash(source)}`
  if (!existsSync(folder)) {
    const making = await mkdtemp(`${folder}.`)
    try {
      await cp(source, making, { recursive: true, filter: path => isSource(path.slice(source.length)) })
      // Hard links: as real as a copy, and there at once.
      await run('cp', ['-R', '-l', join(consumer.folder, 'node_modules'), join(making, 'node_modules')])
      await run('npm', ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: making })
      await runNuxt(making, ['build'])
      // There at once or not at all; somebody may have been faster.
      await rename(making, folder).catch(() => {})
    }
    finally {
      await rm(making, { recursive: true, force: true })
    }
  }
  return join(folder, '.output')
}

async function hash(source: string): Promise<string> {
  const sum = createHash('sha256')
  const entries = await readdir(source, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  for (const file of files.filter(file => isSource(file.slice(source.length))).sort()) {
    sum.update(file.slice(source.length)).update('\0').update(await readFile(file))
  }
  return sum.digest('hex').slice(0, 12)
}
