/** `nuxt build` for the app in the first argument, its results in the folder of the second. */
import { join } from 'node:path'
import process from 'node:process'
import { buildNuxt, loadNuxt } from '@nuxt/kit'

const [cwd, folder] = process.argv.slice(2) as [string, string]
process.env.NODE_ENV = 'production'
const overrides = { buildDir: join(folder, '.nuxt'), nitro: { output: { dir: join(folder, '.output') } } }
const nuxt = await loadNuxt({ cwd, overrides })
await buildNuxt(nuxt)
await nuxt.close()
