/** How large the fault runs are. `OR3_FAULTS_SCALE=10` is a night's; the controls end as soon as they have found their fault. */
import process from 'node:process'

export interface Sizes {
  kills: number
  /** Of three servers on one database server, and of that itself. */
  serverKills: number
  sqldKills: number
  /** How long the database server answers nothing. */
  awayMs: number
  crashesPerPoint: number
  /** Another process holds the write lock at least a hundred times in a minute. */
  busyMs: number
  diskCycles: number
  /** How often the file is taken away and brought back. */
  fileRounds: number
  restores: number
  /** Of the log whose snapshot, clean-up and backup are watched. */
  rows: number
  loadMs: number
  idleClients: number
  /** Devices with a live stream, through a restart. */
  listeners: number
  /** How long hints go to readers that do not read. */
  stalledMs: number
  /** Of each attack, and of all together. */
  attackMs: number
  togetherMs: number
}

/** Under a minute, to look at after a change. */
export const quick: Sizes = {
  kills: 4, serverKills: 3, sqldKills: 2, awayMs: 6_000, crashesPerPoint: 1, busyMs: 1_500, diskCycles: 1, fileRounds: 2, restores: 1, rows: 2_000,
  loadMs: 1_000, idleClients: 200, attackMs: 2_000, togetherMs: 8_000, listeners: 200, stalledMs: 2_000,
}

/** Within ten minutes: what a change is checked with. */
const whole: Sizes = {
  kills: 100, serverKills: 30, sqldKills: 20, awayMs: 6_000, crashesPerPoint: 5, busyMs: 60_000, diskCycles: 20, fileRounds: 20,
  restores: 10, rows: 20_000,
  loadMs: 10_000, idleClients: 1_000, attackMs: 5_000, togetherMs: 60_000, listeners: 1_000, stalledMs: 20_000,
}

export function readSizes(): Sizes {
  const scale = Number(process.env['OR3_FAULTS_SCALE'] || 1)
  if (!(scale > 0)) throw new Error(`OR3_FAULTS_SCALE is ${JSON.stringify(process.env['OR3_FAULTS_SCALE'])}: set it to a number above 0.`)
  const times = (count: number) => Math.ceil(count * scale)
  return {
    ...whole, kills: times(whole.kills), serverKills: times(whole.serverKills), sqldKills: times(whole.sqldKills), awayMs: times(whole.awayMs),
    crashesPerPoint: times(whole.crashesPerPoint), busyMs: times(whole.busyMs),
    diskCycles: times(whole.diskCycles), fileRounds: times(whole.fileRounds),
    restores: times(whole.restores), loadMs: times(whole.loadMs), attackMs: times(whole.attackMs), togetherMs: times(whole.togetherMs),
  }
}
