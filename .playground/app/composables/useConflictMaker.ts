/** Plays a conflict on purpose: both devices go offline, change the same message, and meet again at the server. */
import { createUuid } from '../../../shared/uuid.ts'
import { newMessage, newThread, nextIndex, sortMessages, sortThreads, withText } from '../utils/chat.ts'
import type { JsonObject } from '../../../shared/protocol.ts'
import type { Row } from '~~/shared/device-rows'
import type { Device } from './useDevice.ts'

export const SCENARIOS = [
  { id: 'edit', name: 'Both edit once', hint: 'Same revision: the later clock wins.' },
  { id: 'twice', name: 'Laptop edits twice', hint: 'More revisions win over the later clock.' },
  { id: 'delete', name: 'Edit against delete', hint: 'A delete is judged like an edit.' },
] as const

export type ScenarioId = (typeof SCENARIOS)[number]['id']

/** Slow enough to follow with the eye. */
const STEP_MS = 350

export function useConflictMaker(laptop: Device, phone: Device) {
  const step = ref('')
  const running = ref(false)

  async function play(scenario: ScenarioId): Promise<void> {
    if (running.value) return
    running.value = true
    try {
      await playSteps(scenario)
    }
    catch (error) {
      step.value = error instanceof Error ? error.message : 'The round could not be played.'
    }
    finally {
      setBothOnline(true)
      running.value = false
    }
  }

  async function playSteps(scenario: ScenarioId): Promise<void> {
    setBothOnline(true)
    await syncBoth()
    const message = await findSharedMessage()
    showThread(message)

    await say('Both devices go offline.')
    setBothOnline(false)
    await say('Each changes the same message, without knowing of the other.')
    await writeBothSides(scenario, message.pk)
    await pause()
    await say('Back online: Laptop syncs first, then Phone, then Laptop hears what came of it.')
    laptop.setOnline(true)
    await laptop.syncNow()
    await pause()
    phone.setOnline(true)
    await syncBoth()
    await say('')
  }

  async function writeBothSides(scenario: ScenarioId, pk: string): Promise<void> {
    const at = new Date().toLocaleTimeString('en-GB')
    if (scenario === 'twice') {
      edit(laptop, pk, `First try on the laptop, ${at}`)
      edit(laptop, pk, `Second try on the laptop, ${at}`)
    }
    if (scenario === 'edit') edit(laptop, pk, `Written on the laptop, ${at}`)
    if (scenario === 'delete') edit(phone, pk, `Written on the phone, ${at}`)
    await pause()
    if (scenario === 'delete') laptop.remove('messages', pk)
    else edit(phone, pk, `Written on the phone, ${at}`)
  }

  /** The message of an earlier round, or a new one: nobody's own words are overwritten for a demonstration. */
  async function findSharedMessage(): Promise<Row> {
    const threadId = laptop.threadId ?? sortThreads(laptop.rows('threads'))[0]?.pk ?? createUuid()
    const messages = sortMessages(laptop.rows('messages'), threadId)
    const used = messages.findLast(row => (row.payload.data as JsonObject | undefined)?.staged === true)
    if (used && phone.get('messages', used.pk)) return used
    return await writeSharedMessage(threadId, nextIndex(messages))
  }

  async function writeSharedMessage(threadId: string, index: number): Promise<Row> {
    await say('First a message that both devices know.')
    if (!laptop.get('threads', threadId)) laptop.put('threads', threadId, newThread(threadId, 'Two minds'))
    const id = createUuid()
    const message = newMessage(id, threadId, index, 'What shall we call it?')
    laptop.put('messages', id, { ...message, data: { content: 'What shall we call it?', staged: true } })
    await syncBoth()
    const written = laptop.get('messages', id)
    if (!written || !phone.get('messages', id)) throw new Error('The devices could not reach the server.')
    return written
  }

  function showThread(message: Row): void {
    for (const device of [laptop, phone]) device.showThread(String(message.payload.thread_id))
  }

  function setBothOnline(online: boolean): void {
    for (const device of [laptop, phone]) device.setOnline(online)
  }

  /** Phone must hear Laptop, and Laptop must hear Phone. */
  async function syncBoth(): Promise<void> {
    for (const device of [laptop, phone, laptop]) await device.syncNow()
  }

  async function say(words: string): Promise<void> {
    step.value = words
    await pause()
  }

  return { step, running, play }
}

function edit(device: Device, pk: string, text: string): void {
  const row = device.get('messages', pk)
  if (row) device.put('messages', pk, withText(row.payload, text))
}

function pause(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, STEP_MS))
}
