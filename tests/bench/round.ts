/** One round of one implementation, in a process of its own: `node round.ts <implementation> <scale> <workload,…>`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import type { Open } from './implementation.ts'
import { workloads } from './workloads.ts'

const [implementation, scale, names] = process.argv.slice(2) as [string, string, string]
const { open } = await import(`./${implementation}.ts`) as { open: Open }
const folder = mkdtempSync(join(tmpdir(), 'or3-bench-'))
try {
  const results: Record<string, object> = {}
  for (const name of names.split(',')) {
    const samples = await workloads[name]!({ open, path: file => join(folder, `${file}.db`), scale: Number(scale) })
    for (const [label, sample] of Object.entries(samples)) results[label] = { ...sample, rssMb: process.memoryUsage().rss / 2 ** 20 }
  }
  process.stdout.write(JSON.stringify(results))
}
finally {
  rmSync(folder, { recursive: true, force: true })
}
