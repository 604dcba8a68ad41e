/** The fault runs on the layer, each with the figures it must have. `controls.ts` has those that must find a fault. */
import { join } from 'node:path'
import { isError } from 'h3'
import { runAbuse } from './abuse.ts'
import { runBusy } from './busy.ts'
import { runCrashPoints } from './crash-points.ts'
import { runFileIdentity } from './file-identity.ts'
import { isClean, runKillLoop } from './kill-loop.ts'
import { createPusher, fillDisk, inQuickFolder, migrations, openLayer } from './layer.ts'
import { runLimits } from './limits.ts'
import { runLive } from './live.ts'
import { runLoopDelay } from './loop-delay.ts'
import { runNthCall } from './nth-call.ts'
import { startBuilt } from './process.ts'
import { runRestore } from './restore.ts'
import { runSeveralServers } from './several-servers.ts'
import type { Sizes } from './sizes.ts'

export interface Outcome { ok: boolean, figures: object }

export type Scenario = (folder: string, sizes: Sizes) => Promise<Outcome>

/** Twice what the server lets it grow to while readers come and go. */
export const maxWalBytes = 64 * 2 ** 20

/** With a server of their own: several of them may go on at once. */
export const serverScenarios: Record<string, Scenario> = {
  async killLoop(folder, { kills }) {
    const figures = await runKillLoop({ start: startBuilt, dbPath: join(folder, 'kill.db'), kills })
    return { ok: isClean(figures) && figures.kills === kills && figures.acked > kills, figures }
  },
  async severalServers(folder, { serverKills, sqldKills, awayMs }) {
    const figures = await runSeveralServers({ start: startBuilt, folder, serverKills, sqldKills, awayMs, restarts: 6 })
    const { missing, falseSnapshots, wrongAnswers, contradictions, failedInRestarts, servedWhileAway, foreignMoments } = figures
    const answers = [wrongAnswers, contradictions, failedInRestarts].flat()
    const wrong = missing + falseSnapshots + answers.length + servedWhileAway + foreignMoments
    const { longestRecoveryMs, acked } = figures
    return { ok: isClean(figures) && wrong === 0 && longestRecoveryMs <= 5_000 && acked > serverKills, figures }
  },
  async crashPoints(folder, { crashesPerPoint }) {
    const figures = await runCrashPoints(folder, crashesPerPoint)
    const crashed = Object.values(figures.crashes).reduce((sum, count) => sum + count, 0)
    return { ok: isClean(figures) && figures.brokenBackups + figures.missingRows === 0 && crashed >= 10 * crashesPerPoint, figures }
  },
  async fileIdentity(folder, { fileRounds }) {
    const figures = await runFileIdentity({ start: startBuilt, dbPath: join(folder, 'identity.db'), rounds: fileRounds })
    const { ackedAway, wrongHealth, failures, refused, acked } = figures
    return { ok: isClean(figures) && ackedAway + wrongHealth + failures.length === 0 && refused > 0 && acked > 0, figures }
  },
  async restore(folder, { restores }) {
    const figures = await runRestore({ start: startBuilt, dbPath: join(folder, 'restore.db'), restores, migrations: migrations.layer })
    const { lost, holes, duplicates, silent, diverged, acked } = figures
    return { ok: lost + holes + duplicates + silent + diverged === 0 && acked > 0, figures }
  },
  async limits(folder, { loadMs, idleClients }) {
    const figures = await runLimits(startBuilt, join(folder, 'limits.db'), { loadMs, idleClients, cuts: 20 })
    const { walBytes, rssMb, rssIdleMb } = figures
    return { ok: isClean(figures) && figures.acked > 0 && walBytes < maxWalBytes && rssIdleMb < rssMb + 100, figures }
  },
}

/** With a server each, whose latencies are measured: nothing else may run beside them. */
export const loneScenarios: Record<string, Scenario> = {
  async abuse(folder, { attackMs, togetherMs }) {
    const figures = await runAbuse({ start: startBuilt, dbPath: join(folder, 'abuse.db'), attackMs, togetherMs })
    return { ok: figures.broken.length === 0, figures }
  },
  async live(folder, { listeners, stalledMs }) {
    const figures = await runLive({ start: startBuilt, dbPath: join(folder, 'live.db'), listeners, stalledMs })
    const { stopMs, told, allBackMs, mostPerSecond, pauseMs, refused, grewMb, hintsBeside } = figures
    // What comes while the machine gives this process no time comes at once after it.
    const isHerd = mostPerSecond > 150 + listeners * pauseMs / 9_500
    const isBack = told === listeners && allBackMs < 10_000 + pauseMs && !isHerd && refused === 0
    return { ok: isBack && stopMs < 1_000 && grewMb < 30 && hintsBeside > 0, figures }
  },
}

/** In this process, whose event loop some of them measure: one after the other. */
export const localScenarios: Record<string, Scenario> = {
  busy: (folder, { busyMs }) => untilShort(() => inQuickFolder(folder, async (own) => {
    const path = join(own, 'busy.db')
    const database = await openLayer(path)
    const { push, ledger } = createPusher(database)
    const figures = await runBusy({
      path, write: id => push(id), close: database.close, holdMs: [5, 80], durationMs: busyMs,
      idsSql: 'select pk as id from changes', isRefusal: error => isError(error) && error.statusCode === 503,
    })
    const { lost, ...found } = ledger.check(path)
    const all = { ...figures, ...found, lost: figures.lost + lost, ghosts: figures.ghosts + found.ghosts }
    const ok = isClean(all) && all.failures.length === 0 && all.holds >= Math.min(100, busyMs / 100) && all.acked > 0
    return { ok, isShort: all.longestStopMs < 50, figures: all }
  })),
  async diskFull(_folder, { diskCycles }) {
    const figures = await fillDisk(diskCycles, answer => answer)
    const { lost, ghosts, duplicates, holes, stuck, failures, wrongHealth, refused, acked } = figures
    return { ok: lost + ghosts + duplicates + holes + stuck + failures.length + wrongHealth === 0 && refused > 0 && acked > 0, figures }
  },
  async nthCall(folder) {
    const figures = await runNthCall({ folder, migrations })
    return { ok: isClean(figures) && figures.swallowed.length + figures.stuck.length === 0 && (figures.failed['push'] ?? 0) > 3, figures }
  },
  loopDelay: (folder, { rows }) => untilShort(async () => {
    const database = await openLayer(join(folder, `loop-${Math.random()}.db`))
    const figures = await runLoopDelay(database, rows)
    await database.close()
    const { backup, snapshot, cleanUp, control } = figures
    const isShort = [backup, snapshot, cleanUp].every(({ maxMs, p99Ms }) => maxMs < 200 && p99Ms < 50) && backup.maxMs < 100
    return { ok: control.maxMs >= 200, isShort, figures }
  }),
}

/** Other work on the machine stops the loop too, now and then; what is the layer's own doing comes with every try. */
async function untilShort(attempt: () => Promise<Outcome & { isShort: boolean }>): Promise<Outcome> {
  for (let tries = 1; ; tries++) {
    const { ok, isShort, figures } = await attempt()
    if (!ok || isShort || tries === 3) return { ok: ok && isShort, figures: tries === 1 ? figures : { ...figures, tries } }
  }
}
