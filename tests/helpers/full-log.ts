/** A process whose log goes nowhere: it logs its own errors, as nitro does, and says on its third stream that it lives. */
import { writeSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { surviveLogErrors } from '../../server/lib/log-budget.ts'

process.on('uncaughtException', error => process.stderr.write(`uncaught: ${error.message}\n`))
if (process.argv[2] === 'survive') surviveLogErrors([process.stdout, process.stderr])
let turns = 0
const until = performance.now() + 1_000
while (performance.now() < until) {
  process.stdout.write('a line\n')
  process.stderr.write('another\n')
  turns++
  await sleep(10)
}
writeSync(3, `turns ${turns}`)
process.exit(0)
