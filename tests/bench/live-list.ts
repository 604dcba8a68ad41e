/** The way of an edit from another device's push to a list in a real Chromium with the real client. */
import { fileURLToPath } from 'node:url'
import process from 'node:process'
import { build } from 'esbuild'
import { chromium } from 'playwright-core'
import { makeOp } from './implementation.ts'

/** Milliseconds from the moment a push is sent to the row in the other device's list. */
export async function measureList(url: string, edits: number): Promise<number[]> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('live-page.ts', import.meta.url))],
    bundle: true, format: 'esm', target: 'es2022', minify: true, write: false,
  })
  const headers = { 'x-demo-user': 'bench', 'content-type': 'application/json' }
  const { session } = await (await fetch(`${url}/api/auth/session`, { headers })).json() as {
    session: { user: { id: string }, workspace: { id: string } }
  }
  const workspaceId = session.workspace.id
  const browser = await chromium.launch({
    executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-dev-shm-usage'],
  })
  try {
    const context = await browser.newContext({ extraHTTPHeaders: { 'x-demo-user': 'bench' } })
    const page = await context.newPage()
    // A page of the server's own origin that is nobody's app.
    await page.goto(`${url}/api/health#user=${session.user.id}&workspace=${workspaceId}`)
    await page.addScriptTag({ content: outputFiles[0]!.text, type: 'module' })
    await page.waitForFunction(() => window.live?.mode() === 'stream')
    const took: number[] = []
    for (let count = 0; count < edits + warmUp; count++) {
      const op = makeOp()
      const sentAt = performance.timeOrigin + performance.now()
      const answer = await fetch(`${url}/api/sync/push`, { method: 'POST', headers, body: JSON.stringify({ scope: { workspaceId }, ops: [op] }) })
      if (!answer.ok) throw new Error(`push: ${answer.status} ${await answer.text()}`)
      const shownAt = await page.waitForFunction(id => window.live.shownAt(id), op.pk).then(handle => handle.jsonValue())
      if (count >= warmUp) took.push(shownAt! - sentAt)
      // People do not edit faster; and the client paces the pulls of whoever does.
      await new Promise(resolve => setTimeout(resolve, count < warmUp ? 50 : 550))
    }
    return took
  }
  finally {
    await browser.close()
  }
}

const warmUp = 10
