/** A log on a full disk. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

async function run(argument: string): Promise<{ said: string, signal: NodeJS.Signals | null }> {
  const full = openSync('/dev/full', 'w')
  const script = fileURLToPath(new URL('../../helpers/full-log.ts', import.meta.url))
  const child = spawn(process.execPath, ['--no-warnings', script, argument], { stdio: ['ignore', full, full, 'pipe'] })
  closeSync(full)
  let said = ''
  child.stdio[3]!.on('data', (chunk: Buffer) => said += chunk.toString())
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  const [, signal] = await once(child, 'close') as [number, NodeJS.Signals | null]
  clearTimeout(timer)
  return { said, signal }
}

it.runIf(existsSync('/dev/full'))('does not stop the process, nor keep it busy', { timeout: 60_000 }, async () => {
  const { said } = await run('survive')
  expect(Number(/turns (\d+)/.exec(said)?.[1])).toBeGreaterThan(20)
  // The control: without it the process is busy with its own error, or ends.
  const control = await run('no')
  expect(Number(/turns (\d+)/.exec(control.said)?.[1] ?? 0)).toBeLessThan(20)
})
