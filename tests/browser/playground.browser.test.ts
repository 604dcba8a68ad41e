/** The playground in a real browser: what one device writes the other shows, and both end equal whatever happened. */
import { describe, expect, test } from 'vitest'
import { listenForComplaints, waitUntilAlive, waitUntilEqual } from './playground-page.ts'
import { usePlayground } from './use-playground.ts'

const playground = usePlayground()

describe('people and workspaces', () => {
  test('a name signs in, survives a reload, and is forgotten on signing out', async () => {
    const { page, context } = await playground.visit()
    await page.getByTestId('sign-in-name').fill('Grace Hopper')
    await page.getByTestId('sign-in-submit').click()
    await page.getByTestId('user').getByText('Grace Hopper').waitFor()

    const [cookie] = await context.cookies()
    expect(cookie).toMatchObject({ name: 'demo_user', httpOnly: true, sameSite: 'Lax' })
    await page.reload()
    await waitUntilAlive(page)
    await page.getByTestId('user').getByText('Grace Hopper').waitFor()

    await page.getByTestId('sign-out').click()
    await page.getByTestId('sign-in').waitFor()
    expect(await context.cookies()).toEqual([])
  })

  test('a name of blanks, of control characters or of 65 letters is refused', async () => {
    const { context } = await playground.visit()
    for (const name of ['   ', 'a\u0007b', 'x'.repeat(65), 7, null]) {
      const response = await context.request.post(`${playground.server.url}/api/demo/sign-in`, { data: { name } })
      expect(response.status()).toBe(400)
    }
    expect(await context.cookies()).toEqual([])
  })

  test('a new workspace becomes the active one, starts empty, and leaves the other as it was', async () => {
    const { page, laptop, phone } = await playground.arrive()
    const select = page.getByTestId('workspace-select')
    const first = await select.inputValue()
    await laptop.addThread('Only in the first')
    await phone.at('thread-heading').getByText('Only in the first').waitFor()

    await page.getByTestId('new-workspace').click()
    await page.getByTestId('new-workspace-name').fill('Second')
    await page.getByTestId('new-workspace-create').click()
    await page.waitForFunction(before => document.querySelector('select')?.value !== before, first)
    expect(await select.locator('option:checked').textContent()).toBe('Second')
    await laptop.at('connection').getByText('Online').waitFor()
    expect(await laptop.at('thread').count()).toBe(0)

    await select.selectOption(first)
    await laptop.at('thread').getByText('Only in the first').waitFor()
  })

  test('a second tab does not open the same devices until told to', async () => {
    const { page, context, laptop } = await playground.arrive()
    const second = await context.newPage()
    const complaints = listenForComplaints(second)
    await second.goto(playground.server.url)
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
    const { page, laptop, phone } = await playground.arrive()
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
    const { page, laptop, phone } = await playground.arrive()
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
    const { page, laptop, phone } = await playground.arrive()
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
    const { page, laptop, phone } = await playground.arrive()
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

  test('an edit made while the server is gone waits, and arrives once it is back', async () => {
    const { page, laptop, phone, complaints } = await playground.arrive()
    await laptop.addThread('Plans')
    await laptop.write('before')
    await waitUntilEqual(page)
    await playground.server.kill()
    await laptop.write('into the void')
    await laptop.at('problem').getByText('does not answer').waitFor()
    expect(await laptop.at('pending').textContent()).toBe('1')
    await playground.server.restart()
    await phone.message('into the void').waitFor({ timeout: 25_000 })
    await waitUntilEqual(page)
    expect(await phone.at('message-text').allTextContents()).toEqual(['before', 'into the void'])
    expect(complaints.splice(0).filter(complaint => !complaint.includes('ERR_CONNECTION'))).toEqual([])
  })

  test('the keyboard alone is enough', async () => {
    const { page, laptop, phone } = await playground.arrive()
    await laptop.at('thread-title').focus()
    await page.keyboard.type('Plans')
    await page.keyboard.press('Enter')
    await laptop.at('composer').focus()
    await page.keyboard.type('one')
    await page.keyboard.press('Shift+Enter')
    await page.keyboard.type('two')
    await page.keyboard.press('Enter')
    await phone.message('two').waitFor()
    expect(await phone.at('message-text').innerText()).toBe('one\ntwo')

    await laptop.at('edit').press('Enter')
    await page.keyboard.type(' three')
    await page.keyboard.press('Escape')
    expect(await laptop.at('edit').evaluate(button => button === document.activeElement)).toBe(true)
    expect(await laptop.at('message-text').innerText()).toBe('one\ntwo')

    await laptop.at('online').press('Space')
    expect(await laptop.at('connection').getAttribute('data-state')).toBe('offline')
    await laptop.at('tab-chat').press('ArrowRight')
    await laptop.at('note-text').waitFor()
    await laptop.at('online').press('Space')
    await waitUntilEqual(page)
  })

  test('notes, the table of the app itself, sync like the rest', async () => {
    const { page, laptop, phone } = await playground.arrive()
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
    const { page, laptop, phone } = await playground.arrive()
    await laptop.addThread('Plans')
    await laptop.write('sent before')
    await phone.message('sent before').waitFor()
    await laptop.setOnline(false)
    await laptop.write('not sent yet')
    await page.reload()
    await waitUntilAlive(page)

    await laptop.message('not sent yet').waitFor()
    expect(await laptop.at('connection').getAttribute('data-state')).toBe('offline')
    expect(await laptop.at('pending').textContent()).toContain('1')
    expect(await phone.at('message-text').allTextContents()).toEqual(['sent before'])
    await laptop.setOnline(true)
    await phone.message('not sent yet').waitFor()
    await waitUntilEqual(page)
  })
})
