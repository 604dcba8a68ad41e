/** Which Nuxt the apps of these tests are built with, and what npm made of it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** The oldest supported minor, at its last patch; package.json names the bound. */
export const oldestNuxt = '4.0.3'
/** The one in the lock file of OR3 Chat of February 2026. */
export const februaryNuxt = '4.2.2'

/** Prints and gives the versions that an app was built with. */
export async function printVersions(folder: string): Promise<Record<string, string>> {
  const names = ['nuxt', '@nuxt/kit', '@nuxt/vite-builder/node_modules/vite', 'nitropack', 'h3', 'vue']
  const versions = await Promise.all(names.map(async name => [name.split('/').at(-1)!, await readVersion(folder, name)] as const))
  const found = Object.fromEntries(versions)
  console.log(`built and served on ${JSON.stringify({ ...found, node: process.version })}`)
  return found
}

async function readVersion(folder: string, name: string): Promise<string> {
  const text = await readFile(join(folder, 'node_modules', name, 'package.json'), 'utf8').catch(() => '{}')
  return (JSON.parse(text) as { version?: string }).version ?? 'as installed'
}
