/**
 * A process of its own that reads a database file. `node log-reader.ts PATH stay` holds one old state until its stdin
 * ends, `… follow MS` is two readers in turn of that many milliseconds each: at no moment does nobody read. Says
 * `reading` once it does.
 */
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'

const [path = '', mode = 'stay', readMs = '50'] = process.argv.slice(2)
let ending = false
const asked = new Promise<void>((resolve) => {
  process.stdin.resume().on('close', () => {
    ending = true
    resolve()
  })
})

/** Reads until `whenOver`; the connection is new each time, as a tool's is. */
async function read(whenOver: () => Promise<unknown>, said?: () => void) {
  const database = new DatabaseSync(path, { readOnly: true, timeout: 1_000 })
  database.exec('BEGIN')
  database.prepare('SELECT count(*) FROM users').get()
  said?.()
  await whenOver()
  database.exec('COMMIT')
  database.close()
}

async function follow(waitMs: number) {
  await sleep(waitMs)
  while (!ending) await read(() => sleep(Number(readMs)))
}

const say = () => console.log('reading')
if (mode === 'stay') {
  await read(() => asked, say)
}
else {
  say()
  await Promise.all([follow(0), follow(Number(readMs) / 2)])
}
