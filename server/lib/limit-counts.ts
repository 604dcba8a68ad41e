/** How often each limit was met since the start, for the metrics. */

export const limitNames = [
  'rate', 'user-bytes', 'bytes', 'socket-requests', 'user-requests', 'requests', 'idle', 'unread-body', 'host', 'shape',
  'workspace-quota', 'disk-reserve', 'device-cursors', 'log-lines', 'live-streams',
] as const

export type LimitName = typeof limitNames[number]

const counts = new Map<LimitName, number>()

/** Counts one more time that the limit was met. */
export function countLimited(name: LimitName): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

/** How often it was met. */
export function readLimited(name: LimitName): number {
  return counts.get(name) ?? 0
}
