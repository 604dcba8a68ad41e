/** The playground in a real browser: what one device writes the other shows, and both end equal whatever happened. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Browser } from 'playwright-core'
import { launchBrowser, listenForComplaints, visit, waitUntilEqual } from './playground-page.ts'
import { startPlayground } from './playground-server.ts'
import type { Visitor } from './playground-page.ts'
import type { PlaygroundServer } from './playground-server.ts'

let server: PlaygroundServer
let browser: Browser
let visitor: Visitor

beforeAll(async () => {
  ;[server, browser] = await Promise.all([startPlayground(), launchBrowser()])
})

afterAll(async () => {
  await browser?.close()
  await server?.stop()
})

afterEach(async () => {
  await visitor.context.close()
  expect(visitor.complaints).toEqual([])
})

/** Every test is a person of its own, so that none depends on another. */
async function arrive(): Promise<Visitor> {
  visitor = await visit(browser, server.url, `Ada ${randomUUID().slice(0, 8)}`)
  return visitor
}

describe('people and workspaces', () => {
  test('a name signs in, survives a reload, and is forgotten on signing out', async () => {
    visitor = await visit(browser, server.url)
    const { page, context } = visitor
    await page.getByTestId('sign-in-name').fill('Grace Hopper')
    await page.getByTestId('sign-in-submit').click()
    await page.getByTestId('user').getByText('Grace Hopper').waitFor()

    const [cookie] = await context.cookies()
    expect(cookie).toMatchObject({ name: 'demo_user', httpOnly: true, sameSite: 'Lax' })
    await page.reload({ waitUntil: 'networkidle' })
    await page.getByTestId('user').getByText('Grace Hopper').waitFor()

    await page.getByTestId('sign-out').click()
    await page.getByTestId('sign-in').waitFor()
    expect(await context.cookies()).toEqual([])
  })

  test('a name of blanks, of control characters or of 65 letters is refused', async () => {
    visitor = await visit(browser, server.url)
    for (const name of ['   ', 'a\u0007b', 'x'.repeat(65), 7, null]) {
      const response = await visitor.context.request.post(`${server.url}/api/demo/sign-in`, { data: { name } })
      expect(response.status()).toBe(400)
    }
    expect(await visitor.context.cookies()).toEqual([])
  })

  test('a new workspace becomes the active one, starts empty, and leaves the other as it was', async () => {
    const { page, laptop, phone } = await arrive()
    const select = page.getByTestId('workspace-select')
    const first = await select.inputValue()
    await laptop.addThread('Only in the first')
    await phone.at('thread-heading').getByText('Only in the first').waitFor()

    await page.getByTestId('new-workspace').click()
    await page.getByTestId('new-workspace-name').fill('Second')
    await page.getByTestId('new-workspace-create').click()
    await page.waitForFunction((before) => document.querySelector('select')?.value !== before, first)
    expect(await select.locator('option:checked').textContent()).toBe('Second')
    await laptop.at('connection').getByText('Online').waitFor()
    expect(await laptop.at('thread').count()).toBe(0)

    await select.selectOption(first)
    await laptop.at('thread').getByText('Only in the first').waitFor()
  })

  test('a second tab does not open the same devices until told to', async () => {
    const { page, context, laptop } = await arrive()
    const second = await context.newPage()
    const complaints = listenForComplaints(second)
    await second.goto(server.url, { waitUntil: 'networkidle' })
    await second.getByText('open in another tab').waitFor()
    await second.getByRole('button', { name: 'Use them here' }).click()
    await second.getByTestId('device-laptop').waitFor()
    await page.getByText('open in another tab').waitFor()
    expect(await laptop.pane.count()).toBe(0)
    expect(complaints).toEqual([])
  })
})

describe('two devices', () => {
  test('what Laptop adds, edits, renames and deletes shows on Phone', async () => {
    const { page, laptop, phone } = await arrive()
    await laptop.addThread('Plans')
    await laptop.write('by train')
    await laptop.write('by ship')
    await phone.message('by train').waitFor()
    await phone.message('by ship').waitFor()
    expect(await phone.at('message-text').allTextContents()).toEqual(['by train', 'by ship'])

    await laptop.edit('by train', 'by night train')
    await laptop.remove('by ship')
    await laptop.at('rename').click()
    await laptop.at('rename-field').fill('Holiday plans')
    await laptop.at('rename-save').click()
    await phone.message('by night train').waitFor()
    await phone.message('by ship').waitFor({ state: 'detached' })
    await phone.at('thread-heading').getByText('Holiday plans').waitFor()
    await waitUntilEqual(page)
  })

  test('an edit waits in the outbox while the device is offline', async () => {
    const { page, laptop, phone } = await arrive()
    await laptop.addThread('Plans')
    await phone.at('thread-heading').getByText('Plans').waitFor()
    await phone.setOnline(false)
    await phone.write('written in a tunnel')
    expect(await phone.at('pending').textContent()).toContain('1')
    await phone.at('unsent').waitFor()
    await page.locator('[data-testid="equality"][data-state="different"]').waitFor()
    expect(await laptop.message('written in a tunnel').count()).toBe(0)

    await phone.setOnline(true)
    await laptop.message('written in a tunnel').waitFor()
    await waitUntilEqual(page)
  })

  test('offline edits of one message end equal on both, and the page says who won and why', async () => {
    const { page, laptop, phone } = await arrive()
    await laptop.addThread('Plans')
    await laptop.write('first words')
    await phone.message('first words').waitFor()
    await laptop.setOnline(false)
    await phone.setOnline(false)
    await laptop.edit('first words', 'words of the laptop')
    await phone.edit('first words', 'words of the phone')
    await phone.setOnline(true)
    await laptop.setOnline(true)

    await waitUntilEqual(page)
    for (const device of [laptop, phone]) {
      expect(await device.at('message-text').allTextContents()).toEqual(['words of the phone'])
    }
    const conflict = page.getByTestId('conflict')
    await conflict.getByText('Laptop and Phone decided alike.').waitFor()
    expect(await conflict.getByTestId('winner').textContent()).toBe('Phone won')
    expect(await conflict.getAttribute('data-rule')).toBe('hlc')
    expect(await conflict.getByTestId('reason').textContent()).toMatch(/Both wrote revision 2\. Phone wrote .+ later/)
  })

  test.for([
    { scenario: 'edit', winner: 'Phone won', rule: 'hlc', left: /Written on the phone/ },
    { scenario: 'twice', winner: 'Laptop won', rule: 'clock', left: /Second try on the laptop/ },
    { scenario: 'delete', winner: 'Laptop won', rule: 'hlc', left: null },
  ])('the button plays "$scenario": $winner by $rule', async ({ scenario, winner, rule, left }) => {
    const { page, laptop, phone } = await arrive()
    await page.getByTestId('scenario').selectOption(scenario)
    await page.getByTestId('make-conflict').click()
    const conflict = page.getByTestId('conflict')
    await conflict.getByText('Laptop and Phone decided alike.').waitFor({ timeout: 20_000 })
    expect(await conflict.getByTestId('winner').textContent()).toBe(winner)
    expect(await conflict.getAttribute('data-rule')).toBe(rule)
    await waitUntilEqual(page)
    for (const device of [laptop, phone]) {
      const texts = await device.at('message-text').allTextContents()
      expect(texts).toEqual(left ? [expect.stringMatching(left)] : [])
    }
  })

  test('notes, the table of the app itself, sync like the rest', async () => {
    const { page, laptop, phone } = await arrive()
    await laptop.at('tab-notes').click()
    await phone.at('tab-notes').click()
    await laptop.at('note-text').fill('buy tickets')
    await laptop.at('add-note').click()
    await phone.at('note').getByText('buy tickets').waitFor()
    await phone.at('note-done').check()
    await laptop.pane.locator('[data-testid="note-done"]:checked').waitFor()
    await laptop.at('delete-note').click()
    await phone.at('note').waitFor({ state: 'detached' })
    await waitUntilEqual(page)
  })

  test('a reload keeps rows, outbox and switch', async () => {
    const { page, laptop, phone } = await arrive()
    await laptop.addThread('Plans')
    await laptop.write('sent before')
    await phone.message('sent before').waitFor()
    await laptop.setOnline(false)
    await laptop.write('not sent yet')
    await page.reload({ waitUntil: 'networkidle' })

    await laptop.message('not sent yet').waitFor()
    expect(await laptop.at('connection').getAttribute('data-state')).toBe('offline')
    expect(await laptop.at('pending').textContent()).toContain('1')
    expect(await phone.at('message-text').allTextContents()).toEqual(['sent before'])
    await laptop.setOnline(true)
    await phone.message('not sent yet').waitFor()
    await waitUntilEqual(page)
  })
})

describe('importing a history', () => {
  test('the sample reaches both devices whole; again it adds nothing; a device that forgot reads it all', async () => {
    const { page, phone } = await arrive()
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
    await page.waitForFunction((old) => !document.body.textContent?.includes(old), deviceId ?? '')
    await waitUntilEqual(page)
    expect(await phone.at('table-messages').textContent()).toBe(messages)
  })

  test('a file that is no export is refused in one sentence, and nothing of it is taken in', async () => {
    const { page, laptop } = await arrive()
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
})

function readCount(text: string | null): number {
  return Number(text?.replaceAll(',', ''))
}
