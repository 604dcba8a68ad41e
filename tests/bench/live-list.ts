/** The way of an edit from another device's push to a list in a real Chromium with the real client. */
import { startLivePages, waitForMode, waitForRow } from '../browser/live-page.ts'
import { makeOp } from './implementation.ts'

const warmUp = 10
/** People do not edit faster; and the client paces the pulls of whoever does. */
const gapMs = 550

/** Milliseconds from the moment a push is sent to the row in the other device's list. */
export async function measureList(url: string, edits: number): Promise<number[]> {
  const pages = await startLivePages(url, 'bench')
  try {
    const page = await pages.open(url)
    await waitForMode(page, 'stream')
    const headers = { 'x-demo-user': 'bench', 'content-type': 'application/json' }
    const took: number[] = []
    for (let count = 0; count < edits + warmUp; count++) {
      const op = makeOp()
      const body = JSON.stringify({ scope: { workspaceId: pages.workspaceId }, ops: [op] })
      const sentAt = performance.timeOrigin + performance.now()
      const answer = await fetch(`${url}/api/sync/push`, { method: 'POST', headers, body })
      if (!answer.ok) throw new Error(`push: ${answer.status} ${await answer.text()}`)
      const shownAt = await waitForRow(page, op.pk)
      if (count >= warmUp) took.push(shownAt - sentAt)
      await new Promise(resolve => setTimeout(resolve, gapMs))
    }
    return took
  }
  finally {
    await pages.close()
  }
}
