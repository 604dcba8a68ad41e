/**
 * What the tarball says about itself. Seen red: a link of the README to a file that is not packed, a script left in, a
 * package.json that stays stripped, an example that differs from the app it was taken from.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { makeTempFolder } from '../../helpers/database.ts'
import { readCodeBlocks } from '../../helpers/markdown.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../..', import.meta.url))

async function listPacked(): Promise<string[]> {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root, maxBuffer: 2 ** 24 })
  return (JSON.parse(stdout) as { files: { path: string }[] }[])[0]!.files.map(file => file.path)
}

/** The relative links of a page, as paths from the package's root. */
function readLinks(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8')
  return [...text.matchAll(/\]\((?!https?:)([^)#\s]+)/g)].map(match => normalize(join(page, '..', match[1]!)))
}

it('every page of the package points to what is in it', { timeout: 120_000 }, async () => {
  const packed = await listPacked()
  const pages = packed.filter(file => file.endsWith('.md') && file !== 'CHANGELOG.md')
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'SPEC.md', 'docs/protocol.md', 'docs/server-code.md', 'docs/signing-in.md']))
  const missing = pages.flatMap(page => readLinks(page).filter(link =>
    !packed.some(file => file === link || file.startsWith(`${link}/`))).map(link => `${page}: ${link}`))
  expect(missing).toEqual([])
  const prose = readFileSync(join(root, 'README.md'), 'utf8').replaceAll(/```[\s\S]*?```/g, '')
  const paths = [...prose.matchAll(/(?<![\w/.-])(?:tests|\.playground|\.ci|scripts)\/[\w./-]*/g)].map(match => match[0])
  expect(paths).toEqual(paths.filter(path => packed.some(file => file.startsWith(path))))
  expect(packed).toEqual(expect.arrayContaining(['docs/openapi.json', 'docs/examples/tiny-client.js', 'shared/index.ts']))
})

it('its package.json has no script, and the repository\'s is put back', { timeout: 60_000 }, async () => {
  const folder = await makeTempFolder()
  const whole = await readFile(join(root, 'package.json'), 'utf8')
  await cp(join(root, 'scripts'), join(folder, 'scripts'), { recursive: true })
  await writeFile(join(folder, 'package.json'), whole)
  await mkdir(join(folder, 'out'))
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', 'out'], { cwd: folder })
  expect(await readFile(join(folder, 'package.json'), 'utf8')).toBe(whole)
  const name = /"filename": "([^"]+)"/.exec(stdout)![1]!
  await run('tar', ['-xzf', join('out', name)], { cwd: folder })
  const packed = JSON.parse(await readFile(join(folder, 'package/package.json'), 'utf8')) as Record<string, unknown>
  const { scripts, devDependencies, overrides, allowScripts, ...rest } = JSON.parse(whole) as Record<string, unknown>
  expect(packed).toEqual(rest)
  expect([scripts, devDependencies, overrides, allowScripts].every(Boolean)).toBe(true)
})

it('the sign-in examples are the apps that are built and run', () => {
  const blocks = readCodeBlocks('docs/signing-in.md')
  expect(blocks.length).toBeGreaterThan(6)
  for (const { words, text } of blocks) {
    const file = words.find(word => word.startsWith('file='))!.slice('file='.length)
    expect(text, file).toBe(readFileSync(join(root, file), 'utf8'))
  }
})
