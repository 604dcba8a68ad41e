/**
 * `npm run test:faults [-- --json] [--quick] [NAME …]`: the fault runs and their controls, after `npm run build`. Ends
 * with 1 where one was not as promised, or a control found nothing. `OR3_FAULTS_SCALE=10` is a night's size. The last
 * line of `--json` is one object with every figure.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { scale } from './scale.ts'
import { controls, type Scenario, scenarios, type Sizes } from './scenarios.ts'

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } }, allowPositionals: true,
})
const sizes: Sizes = values.quick
  ? { kills: 4, busyMs: 2_000, diskCycles: 2, crashesPerPoint: 1, restores: 1, rows: 2_000, loadMs: 2_000, idleClients: 200 }
  : {
      kills: Math.ceil(100 * scale), busyMs: 15_000 * scale, diskCycles: Math.ceil(20 * scale),
      crashesPerPoint: Math.ceil(3 * scale), restores: Math.ceil(5 * scale), rows: 20_000, loadMs: 10_000 * scale, idleClients: 1_000,
    }

const inServers = new Set(['killLoop', 'crashPoints', 'restore', 'limits', 'ackBeforeCommit', 'walDropped', 'snapshotIgnored', 'walLeftOut', 'putBackByHand', 'answerBeforeCrash', 'readerStays'])

const startedAt = performance.now()
const folder = await mkdtemp(join(tmpdir(), 'or3-faults-'))
const failed: string[] = []
try {
  const figures = await runAll(scenarios, '')
  const found = await runAll(controls, 'control ')
  const tookSeconds = Math.round((performance.now() - startedAt) / 1000)
  say(failed.length === 0 ? `All as promised, in ${tookSeconds} s.` : `Not as promised: ${failed.join(', ')}`)
  if (values.json) process.stdout.write(`${JSON.stringify({ ...figures, controls: found, failed, tookSeconds })}\n`)
}
finally {
  await rm(folder, { recursive: true, force: true })
}
process.exit(failed.length === 0 ? 0 : 1)

async function runAll(all: Record<string, Scenario>, kind: string): Promise<Record<string, object>> {
  const results: Record<string, object> = {}
  const names = Object.keys(all).filter(name => positionals.length === 0 || positionals.includes(name))
  const run = async (name: string) => {
    const own = await mkdtemp(join(folder, `${name}-`))
    const since = performance.now()
    const { ok, figures } = await all[name]!(own, sizes).catch((error: unknown) => ({ ok: false, figures: { error: String(error) } }))
    await rm(own, { recursive: true, force: true })
    if (!ok) failed.push(`${kind}${name}`)
    say(`${ok ? 'ok    ' : 'FAILED'} ${kind}${name}, ${Math.round((performance.now() - since) / 1000)} s: ${JSON.stringify(figures)}`)
    results[name] = figures
  }
  // Who waits for servers waits for them all at once; who measures this process has it for himself.
  await Promise.all(names.filter(name => inServers.has(name)).map(run))
  for (const name of names) if (!inServers.has(name)) await run(name)
  return results
}

function say(line: string) {
  (values.json ? process.stderr : process.stdout).write(`${line}\n`)
}
