/** The way of an edit from another device's push to a list in a real Chromium with the real client. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startLivePages, waitForMode, waitForRow } from '../browser/live-page.ts'
import { makeOp } from './implementation.ts'

const warmUp = 10
/** People do not edit faster; and the client paces the pulls of whoever does. */
const gapMs = 550
/** By then the row is there: a look at the page, which takes its main thread, would come in between. */
const quietMs = 300

/**
 * Milliseconds until the row is in the other device's list: from the answer to the push, which the server sends right
 * after the commit, and from the moment the push is sent.
 */
export async function measureList(url: string, edits: number): Promise<{ fromCommit: number[], fromSend: number[] }> {
  const pages = await startLivePages(url, 'bench')
  try {
    const page = await pages.open(url)
    await waitForMode(page, 'stream')
    const headers = { 'x-demo-user': 'bench', 'content-type': 'application/json' }
    const took = { fromCommit: [] as number[], fromSend: [] as number[] }
    for (let count = 0; count < edits + warmUp; count++) {
      const op = makeOp()
      const body = JSON.stringify({ scope: { workspaceId: pages.workspaceId }, ops: [op] })
      const sentAt = now()
      const answer = await fetch(`${url}/api/sync/push`, { method: 'POST', headers, body })
      const answeredAt = now()
      if (!answer.ok) throw new Error(`push: ${answer.status} ${await answer.text()}`)
      await sleep(quietMs)
      const shownAt = await waitForRow(page, op.pk)
      if (count >= warmUp) {
        took.fromCommit.push(shownAt - answeredAt)
        took.fromSend.push(shownAt - sentAt)
      }
      await sleep(gapMs - quietMs)
    }
    return took
  }
  finally {
    await pages.close()
  }
}

/** On the clock that the other processes of the machine have too. */
function now(): number {
  return performance.timeOrigin + performance.now()
}
