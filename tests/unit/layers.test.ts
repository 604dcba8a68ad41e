/**
 * What may import what. Seen red: an import of h3 in sync/, one of host/ in sync/, a WeakMap keyed by the database, a
 * cast with `as never`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

interface Source { file: string, text: string, imports: string[] }

function readSources(folder: string): Source[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map((name) => {
      const file = join(folder, name)
      const text = readFileSync(join(root, file), 'utf8')
      const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(match => match[1]!)
      return { file, text, imports: specifiers.map(one => one.startsWith('.') ? normalize(join(file, '..', one)) : one) }
    })
}

function findImports(folders: string[], forbidden: RegExp): string[] {
  return folders.flatMap(readSources)
    .flatMap(({ file, imports }) => imports.filter(one => forbidden.test(one)).map(one => `${file} imports ${one}`))
}

it('keeps HTTP and the host out of the database and the engine', () => {
  expect(findImports(['server/database', 'server/sync'], /^(h3|nitropack|#imports)\b|^server\/(http|host|api)\//)).toEqual([])
})

it('keeps the engine out of the database', () => {
  expect(findImports(['server/database'], /^server\/(sync|workspaces|auth|operations)\//)).toEqual([])
})

it('keeps Node and every framework out of what the browser shares', () => {
  expect(findImports(['shared'], /^(node:|h3$|vue$|nuxt|#)|^(server|app)\//)).toEqual([])
})

it('keeps no state beside the database', () => {
  const keyed = readSources('server').filter(({ text }) => /WeakMap<SyncDatabase/.test(text))
  expect(keyed.map(({ file }) => file)).toEqual([])
})

it('casts nothing to what the compiler cannot check', () => {
  const cast = ['server', 'client', 'shared', 'app', 'cli', 'modules'].flatMap(readSources)
    .filter(({ text }) => /\bas (never|any)\b|@ts-(ignore|expect-error|nocheck)/.test(withoutDocComments(text)))
  expect(cast.map(({ file }) => file)).toEqual([])
})

function withoutDocComments(text: string): string {
  return text.replace(/\/\*\*[^]*?\*\//g, '')
}
