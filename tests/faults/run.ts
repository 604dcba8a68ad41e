/**
 * `npm run test:faults [-- --json] [--quick] [NAME …]`: the fault runs and their controls. Ends with 1 where one was not as
 * promised, or a control found nothing. `OR3_FAULTS_SCALE=10` is a night's size. The last line of `--json` is one object
 * with every figure.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { localControls, loneControls, serverControls } from './controls.ts'
import { localScenarios, loneScenarios, type Scenario, serverScenarios } from './scenarios.ts'
import { quick, readSizes } from './sizes.ts'

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } }, allowPositionals: true,
})
const sizes = values.quick ? quick : readSizes()
const names = Object.keys({
  ...serverScenarios, ...loneScenarios, ...localScenarios, ...serverControls, ...loneControls, ...localControls,
})
const unknown = positionals.filter(name => !names.includes(name))
if (unknown.length > 0) throw new Error(`There is no ${unknown.join(', ')}: choose from ${names.join(', ')}.`)

const startedAt = performance.now()
const folder = await mkdtemp(join(tmpdir(), 'or3-faults-'))
const failed: string[] = []
const figuresOf: Record<string, object> = {}
const foundBy: Record<string, object> = {}
try {
  // Two servers may be waited for at once; who measures this process has the machine for himself.
  const lanes = Math.max(2, availableParallelism())
  const inServers = [...tasksOf(serverScenarios, figuresOf), ...tasksOf(serverControls, foundBy)]
  await Promise.all(Array.from({ length: lanes }, () => runEach(inServers)))
  await runEach([...tasksOf(loneScenarios, figuresOf), ...tasksOf(loneControls, foundBy)])
  await runEach([...tasksOf(localScenarios, figuresOf), ...tasksOf(localControls, foundBy)])
  const tookSeconds = secondsSince(startedAt)
  say(failed.length === 0 ? `All as promised, in ${tookSeconds} s.` : `Not as promised: ${failed.join(', ')}`)
  if (values.json) process.stdout.write(`${JSON.stringify({ ...figuresOf, controls: foundBy, failed, tookSeconds })}\n`)
}
finally {
  await rm(folder, { recursive: true, force: true })
}
process.exit(failed.length === 0 ? 0 : 1)

interface Task { name: string, scenario: Scenario, figures: Record<string, object> }

function tasksOf(scenarios: Record<string, Scenario>, figures: Record<string, object>): Task[] {
  return Object.entries(scenarios)
    .filter(([name]) => positionals.length === 0 || positionals.includes(name))
    .map(([name, scenario]) => ({ name, scenario, figures }))
}

/** Takes tasks off the front until none is left. */
async function runEach(tasks: Task[]) {
  for (let task = tasks.shift(); task; task = tasks.shift()) await run(task)
}

async function run({ name, scenario, figures: results }: Task) {
  const own = await mkdtemp(join(folder, `${name}-`))
  const since = performance.now()
  const { ok, figures } = await scenario(own, sizes).catch((error: unknown) => ({ ok: false, figures: { error: String(error) } }))
  await rm(own, { recursive: true, force: true })
  const title = results === foundBy ? `control ${name}` : name
  if (!ok) failed.push(title)
  say(`${ok ? 'ok    ' : 'FAILED'} ${title}, ${secondsSince(since)} s: ${JSON.stringify(figures)}`)
  results[name] = figures
}

function secondsSince(moment: number): number {
  return Math.round((performance.now() - moment) / 1000)
}

function say(line: string) {
  (values.json ? process.stderr : process.stdout).write(`${line}\n`)
}
