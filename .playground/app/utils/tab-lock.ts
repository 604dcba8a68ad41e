/**
 * One tab owns the two devices of a workspace. Tabs could share them, but only the leading one can say when they sync,
 * as the conflict maker does.
 * Browsers without Web Locks (plain http outside localhost) get the lock unasked.
 */
export interface TabLock {
  release(): void
}

/** Null when another tab holds it; `steal` takes it and tells the other tab through `onLost`. */
export async function takeTabLock(name: string, onLost: () => void, steal = false): Promise<TabLock | null> {
  if (!navigator.locks) return { release: () => {} }
  return await new Promise((resolve) => {
    const held = navigator.locks.request(name, steal ? { steal } : { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(null)
      return new Promise<void>(release => resolve({ release }))
    })
    held.catch(onLost)
  })
}
