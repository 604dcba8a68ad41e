/** Saves a device right after a change; further changes are saved together after a pause, or when the page is left. */
import { saveDevice } from './device-store.ts'
import type { SavedDevice } from './device-store.ts'

/** A save copies the whole replica: during an import it waits for a pause. */
const PAUSE_MS = 400

export function createKeeper(key: string, read: () => SavedDevice) {
  const problem = ref('')
  let timer: ReturnType<typeof setTimeout> | undefined
  let savedAt = 0

  async function save(): Promise<void> {
    cancel()
    savedAt = performance.now()
    try {
      await saveDevice(key, read())
      problem.value = ''
    }
    catch (error) {
      problem.value = `This browser did not keep the device: ${error instanceof Error ? error.message : 'unknown error'}`
    }
  }

  function schedule(): void {
    clearTimeout(timer)
    const isQuiet = performance.now() - savedAt > PAUSE_MS
    timer = setTimeout(() => void save(), isQuiet ? 0 : PAUSE_MS)
  }

  function cancel(): void {
    clearTimeout(timer)
    timer = undefined
  }

  function saveIfWaiting(): void {
    if (timer) void save()
  }

  window.addEventListener('pagehide', saveIfWaiting)
  return {
    problem,
    schedule,
    cancel,
    async close() {
      window.removeEventListener('pagehide', saveIfWaiting)
      if (timer) await save()
    },
  }
}
