/** What a process takes of the machine, as Linux counts it. Each throws where there is no such process. */
import { readFileSync } from 'node:fs'

/** Its memory, in MiB: 0 for a process that has ended and that its parent has not waited for yet. */
export function readRssMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024)
}

/** Milliseconds of CPU that a process has used, its own and the kernel's for it, as Linux counts them: in steps of 10. */
export function readCpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name before may hold spaces and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/**
 * Milliseconds for which a process's main thread could have run and waited for a processor: what other processes took from
 * it. 0 where the system does not count that.
 */
export function readWaitedMs(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e6
  }
  catch {
    return 0
  }
}
