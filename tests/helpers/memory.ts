/** What a process takes of the memory, in MiB, as Linux counts it. Throws where there is no such process. */
import { readFileSync } from 'node:fs'

export function readRssMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) / 1024)
}
