/** A bar on a terminal, redrawn in place; elsewhere one line for each phase. */
import type { ImportProgress } from './run.ts'

interface Output { isTTY?: boolean, columns?: number, write(text: string): unknown }

export interface ProgressBar {
  show(progress: ImportProgress): void
  /** Takes the bar away, so that what follows starts on a clean line. */
  clear(): void
}

/** Faster than the eye would cost more than the copying. */
const redrawMs = 80
const maxWidth = 40

/** A line that shows how far the import is, redrawn in place. */
export function createProgressBar(output: Output, now: () => number = () => performance.now()): ProgressBar {
  let phase: string | undefined
  let drawnAt = -Infinity

  return {
    show({ phase: current, done, total }) {
      if (current !== phase && !output.isTTY) output.write(`${current} ${total} rows\n`)
      const isDue = current !== phase || now() - drawnAt >= redrawMs || done >= total
      phase = current
      if (!output.isTTY || !isDue) return
      drawnAt = now()
      output.write(`\r\u001b[2K${draw({ phase: current, done, total }, output.columns || 80)}`)
    },
    clear() {
      if (output.isTTY && phase !== undefined) output.write('\r\u001b[2K')
    },
  }
}

/** The text of the line, at most `columns` wide. */
export function draw({ phase, done, total }: ImportProgress, columns: number): string {
  const share = total === 0 ? 1 : Math.min(1, done / total)
  const text = `${phase} ${String(Math.floor(share * 100)).padStart(3)} % ${done}/${total}`
  const width = Math.min(maxWidth, columns - text.length - 4)
  if (width < 5) return text
  const filled = Math.round(share * width)
  return `${phase} [${'#'.repeat(filled)}${'-'.repeat(width - filled)}]${text.slice(phase.length)}`
}
