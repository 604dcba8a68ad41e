/**
 * The package.json of the tarball: npm runs this before and after packing. What only the repository can use (scripts,
 * devDependencies) is left out, and put back. `node scripts/pack-manifest.js strip|restore`
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import process from 'node:process'

const kept = 'package.json.unpacked'
const repositoryOnly = ['scripts', 'devDependencies', 'overrides', 'allowScripts']

const [command] = process.argv.slice(2)
if (command === 'strip') {
  // An interrupted run has left the whole one there.
  if (existsSync(kept)) renameSync(kept, 'package.json')
  const text = readFileSync('package.json', 'utf8')
  writeFileSync(kept, text)
  const fields = Object.entries(JSON.parse(text)).filter(([name]) => !repositoryOnly.includes(name))
  writeFileSync('package.json', `${JSON.stringify(Object.fromEntries(fields), null, 2)}\n`)
}
else if (command === 'restore') {
  if (existsSync(kept)) renameSync(kept, 'package.json')
}
else {
  console.error('Use: node scripts/pack-manifest.js strip|restore')
  process.exit(1)
}
