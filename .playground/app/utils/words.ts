/** Says in plain words what the machinery did: numbers, times, and why one edit stands and another does not. */
import type { Contender } from '../../../client/index.ts'
import type { Decision } from './decisions.ts'

const INTEGER = new Intl.NumberFormat('en')

export function formatCount(value: number): string {
  return INTEGER.format(value)
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`
}

export function formatMs(ms: number): string {
  if (ms < 10) return `${ms.toFixed(1)} ms`
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`
}

/** Milliseconds in the largest unit that still tells something: two edits may lie days apart. */
function formatSpan(ms: number): string {
  if (ms < 60_000) return formatMs(ms)
  const minutes = Math.round(ms / 60_000)
  if (minutes < 120) return plural(minutes, 'minute')
  return minutes < 2880 ? plural(Math.round(minutes / 60), 'hour') : plural(Math.round(minutes / 1440), 'day')
}

export function formatClockTime(at: number): string {
  return new Date(at).toLocaleTimeString('en-GB')
}

export const RULE_NAMES: Record<Decision['decidedBy'], string> = {
  clock: 'Higher revision',
  hlc: 'Later clock',
  op_id: 'Greater op id',
}

export function explainRule(decision: Decision, nameOf: (deviceId?: string) => string): string {
  const { winner, loser, decidedBy } = decision
  const [first, second] = [nameOf(winner.by), nameOf(loser.by)]
  const revision = winner.clock
  if (decidedBy === 'clock') {
    return `${first} was at revision ${revision} of this record, ${second} at ${loser.clock}. The higher revision wins.`
  }
  if (decidedBy === 'hlc') {
    return `Both wrote revision ${revision}. ${describeGap(winner, loser, first)}, and the later hybrid logical clock wins.`
  }
  return `Both wrote revision ${revision} at the same clock reading. The greater operation id wins: an arbitrary rule, but every device picks the same.`
}

function describeGap(winner: Contender, loser: Contender, name: string): string {
  const gapMs = readHlcMs(winner.hlc) - readHlcMs(loser.hlc)
  if (!Number.isFinite(gapMs) || gapMs < 0) return `${name}'s clock reads later`
  if (gapMs === 0) return `In the same millisecond ${name}'s clock had counted further`
  return `${name} wrote ${formatSpan(gapMs)} later`
}

/** An HLC opens with its wall time: milliseconds in base 36. */
function readHlcMs(hlc: string): number {
  return parseInt(hlc.split(':')[0] ?? '', 36)
}
