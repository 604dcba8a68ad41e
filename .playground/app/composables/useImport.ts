/** Takes a chat export in as Laptop and follows it to the server and on to Phone, with the times of each leg. */
import { countTables, parseChatExport } from '../utils/chat-export.ts'
import type { TableCount } from '../utils/chat-export.ts'
import type { Device } from './useDevice.ts'

export type ImportPhase = 'idle' | 'reading' | 'sending' | 'arriving' | 'done' | 'failed'

export interface ImportReport {
  total: number
  tables: TableCount[]
  /** What the server had not seen before. */
  fresh: number
  readMs: number
  sendMs: number
  arriveMs: number
}

export interface ImportOptions {
  laptop: Device
  phone: Device
  userId: string
  equal: Ref<boolean>
}

export function useImport({ laptop, phone, userId, equal }: ImportOptions) {
  const scope = getCurrentScope()
  const phase = ref<ImportPhase>('idle')
  const problem = ref('')
  const report = ref<ImportReport | null>(null)
  const busy = computed(() => ['reading', 'sending', 'arriving'].includes(phase.value))
  const sent = computed(() => {
    const total = report.value?.total ?? 0
    return phase.value === 'reading' || phase.value === 'sending' ? Math.max(0, total - laptop.status.pending) : total
  })

  async function importText(readText: () => Promise<string>): Promise<void> {
    if (busy.value) return
    phase.value = 'reading'
    problem.value = ''
    report.value = null
    try {
      await carry(await readText())
      phase.value = 'done'
    }
    catch (error) {
      phase.value = 'failed'
      problem.value = error instanceof Error ? error.message : 'The import failed.'
    }
  }

  async function carry(text: string): Promise<void> {
    const startedAt = performance.now()
    const ops = parseChatExport(text, userId)
    report.value = { total: ops.length, tables: countTables(ops), fresh: 0, readMs: 0, sendMs: 0, arriveMs: 0 }
    const headBefore = laptop.status.head
    await laptop.importOps(ops)
    const readAt = performance.now()
    report.value.readMs = readAt - startedAt

    phase.value = 'sending'
    await nextFrame()
    void laptop.syncNow()
    await until(() => laptop.status.pending === 0)
    const sentAt = performance.now()
    report.value.sendMs = sentAt - readAt

    phase.value = 'arriving'
    const target = laptop.status.head
    void phone.syncNow()
    await until(() => phone.status.cursor >= target && laptop.status.cursor >= target)
    report.value.arriveMs = performance.now() - sentAt
    report.value.fresh = target - headBefore
    await until(() => equal.value)
  }

  /** Never settles when the panel is gone, which is as it should be: nobody is left to be told. */
  function until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      scope?.run(() => {
        const stop = watchEffect(() => {
          if (!condition()) return
          resolve()
          queueMicrotask(() => stop())
        })
      })
    })
  }

  return { phase, problem, report, busy, sent, importText }
}

function nextFrame(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 32))
}
