/** A whole chat history goes in as one device and comes out equal on the other. */
import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { waitUntilEqual } from './playground-page.ts'
import { usePlayground } from './use-playground.ts'

const playground = usePlayground()

test('the sample reaches both devices whole; again it adds nothing; a device that forgot reads it all', { timeout: 120_000 }, async () => {
  const { page, phone } = await playground.arrive()
  await page.getByTestId('import-sample').click()
  const done = page.locator('[data-testid="import-phase"][data-phase="done"]')
  await done.waitFor({ timeout: 40_000 })
  await waitUntilEqual(page)
  const head = await page.getByTestId('head').textContent()
  expect(readCount(head)).toBeGreaterThan(1000)
  expect(await page.getByTestId('import-fresh').textContent()).toBe(head)
  expect(await page.getByTestId('failed').allTextContents()).toEqual(['0', '0'])

  await page.getByTestId('import-sample').click()
  await page.getByTestId('import-fresh').getByText('0', { exact: true }).waitFor({ timeout: 40_000 })
  await waitUntilEqual(page)
  expect(await page.getByTestId('head').textContent()).toBe(head)

  await phone.at('tab-data').click()
  const messages = await phone.at('table-messages').textContent()
  const deviceId = await phone.at('device-id').textContent()
  await phone.at('reset').click()
  await page.waitForFunction(old => !document.body.textContent?.includes(old), deviceId ?? '')
  await waitUntilEqual(page)
  expect(await phone.at('table-messages').textContent()).toBe(messages)
})

test('a file that is no export is refused in one sentence, and nothing of it is taken in', async () => {
  const { page, laptop } = await playground.arrive()
  const field = page.getByTestId('file')
  for (const [content, words] of [
    ['{', 'not JSON'],
    ['{"format":"other"}', 'not a chat export'],
    ['{"format":"or3-chat-export","version":9,"ops":[]}', 'version 9'],
    ['{"format":"or3-chat-export","version":1,"ops":[{"tableName":"threads"}]}', 'Op 1'],
  ] as const) {
    await field.setInputFiles({ name: 'export.json', mimeType: 'application/json', buffer: Buffer.from(content) })
    await page.getByTestId('import-problem').getByText(words).waitFor()
  }
  expect(await laptop.at('pending').textContent()).toBe('0')
})

test('a dropped export is addressed to whoever drops it', async () => {
  const { page, phone } = await playground.arrive()
  const file = JSON.stringify({ format: 'or3-chat-export', version: 1, ops: [makeThreadOp(), makeNotificationOp('$me')] })
  const transfer = await page.evaluateHandle((text) => {
    const data = new DataTransfer()
    data.items.add(new File([text], 'export.json', { type: 'application/json' }))
    return data
  }, file)
  await page.getByTestId('drop').dispatchEvent('drop', { dataTransfer: transfer })
  await page.locator('[data-testid="import-phase"][data-phase="done"]').waitFor()
  await phone.at('thread-heading').getByText('Dropped').waitFor()
  await phone.at('tab-data').click()
  expect(await phone.at('table-notifications').locator('td').allTextContents()).toEqual(['1', '0'])
  expect(await page.getByTestId('failed').allTextContents()).toEqual(['0', '0'])
})

function makeThreadOp() {
  const id = randomUUID()
  const times = { created_at: 1_760_000_000, updated_at: 1_760_000_000 }
  return makeOp('threads', id, { id, title: 'Dropped', status: 'ready', deleted: false, pinned: false, clock: 1, ...times })
}

function makeNotificationOp(userId: string) {
  const id = randomUUID()
  const times = { created_at: 1_760_000_000, updated_at: 1_760_000_000 }
  return makeOp('notifications', id, { id, user_id: userId, type: 'info', title: 'Hello', deleted: false, clock: 1, ...times })
}

function makeOp(tableName: string, pk: string, payload: Record<string, unknown>) {
  const stamp = { deviceId: 'elsewhere', opId: randomUUID(), hlc: '0mgjj5ts0:000:elsewher', clock: 1 }
  const createdAt = 1_760_000_000_000
  return { id: randomUUID(), tableName, operation: 'put', pk, payload, stamp, createdAt, attempts: 0, status: 'pending' }
}

function readCount(text: string | null): number {
  return Number(text?.replaceAll(',', ''))
}
