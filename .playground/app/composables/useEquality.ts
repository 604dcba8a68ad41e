/** Whether two devices hold the same rows and tombstones, by fingerprint, a moment after the last change of either. */
import type { Device } from './useDevice.ts'

/** A fingerprint reads every row: not on each key stroke, and not while an import pours in. */
const SETTLE_MS = 150

export type Equality = 'checking' | 'equal' | 'different'

export function useEquality(a: Device, b: Device) {
  const first = useFingerprint(a)
  const second = useFingerprint(b)
  const equality = computed<Equality>(() => {
    if (!first.fingerprint.value || !second.fingerprint.value) return 'checking'
    return first.fingerprint.value === second.fingerprint.value ? 'equal' : 'different'
  })
  const fingerprints = computed<[string, string]>(() => [first.fingerprint.value, second.fingerprint.value])
  /** The last word was spoken before the last change: it is kept on the page, since a flicker would say less. */
  const outdated = computed(() => first.outdated.value || second.outdated.value)
  return { equality, fingerprints, outdated }
}

function useFingerprint(device: Device) {
  const fingerprint = ref('')
  const takenAt = ref(-1)
  let timer: ReturnType<typeof setTimeout> | undefined

  async function read(): Promise<void> {
    const seen = device.revision
    const value = await device.fingerprint()
    if (seen !== device.revision) return
    fingerprint.value = value
    takenAt.value = seen
  }

  watch(
    () => device.revision,
    () => {
      clearTimeout(timer)
      timer = setTimeout(() => void read(), SETTLE_MS)
    },
    { immediate: true },
  )
  onScopeDispose(() => clearTimeout(timer))

  return { fingerprint, outdated: computed(() => takenAt.value !== device.revision) }
}
