/**
 * A process of its own that holds the write lock of a database file, and in the journal modes without a log all of it.
 * `node lock-holder.ts PATH hold` takes it once, says `held` and ends with its stdin; `… bursts MIN MAX` takes it again
 * and again for MIN to MAX milliseconds, says `holding` after the first, and at the end how often and how long, as JSON.
 */
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

const [path = '', mode = 'hold', min = '5', max = '80'] = process.argv.slice(2)
const database = new DatabaseSync(path, { timeout: 50 })
let ending = false
const asked = new Promise<void>((resolve) => {
  process.stdin.resume().on('close', () => {
    ending = true
    resolve()
  })
})

if (mode === 'hold') {
  await takeLock()
  console.log('held')
  await asked
  database.exec('ROLLBACK')
}
else {
  let holds = 0
  let heldMs = 0
  while (!ending && await takeLock()) {
    const since = performance.now()
    if (holds++ === 0) console.log('holding')
    await sleep(between(Number(min), Number(max)))
    heldMs += performance.now() - since
    database.exec('ROLLBACK')
    await sleep(between(1, 15))
  }
  console.log(JSON.stringify({ holds, heldMs: Math.round(heldMs) }))
}
database.close()

/** False when it was asked to end before it got the lock. */
async function takeLock(): Promise<boolean> {
  while (!ending) {
    try {
      database.exec('BEGIN EXCLUSIVE')
      return true
    }
    catch {
      await sleep(1)
    }
  }
  return false
}

function between(least: number, most: number): number {
  return least + Math.random() * (most - least)
}
