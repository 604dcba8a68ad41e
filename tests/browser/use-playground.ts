/** One server and one browser for a test file; every test is a person of its own, and no page may complain. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'
import type { Browser } from 'playwright-core'
import { launchBrowser, visit } from './playground-page.ts'
import { startPlayground } from './playground-server.ts'
import type { Visitor } from './playground-page.ts'
import type { PlaygroundServer } from './playground-server.ts'

export function usePlayground() {
  let server: PlaygroundServer
  let browser: Browser
  let visitor: Visitor | undefined

  beforeAll(async () => {
    ;[server, browser] = await Promise.all([startPlayground(), launchBrowser()])
  })

  afterEach(async () => {
    await visitor?.context.close()
    const complaints = visitor?.complaints
    visitor = undefined
    expect(complaints ?? []).toEqual([])
  })

  afterAll(async () => {
    await browser?.close()
    await server?.stop()
  })

  return {
    get server() {
      return server
    },
    /** Somebody who has not signed in yet. */
    async visit(): Promise<Visitor> {
      visitor = await visit(browser, server.url)
      return visitor
    },
    async arrive(): Promise<Visitor> {
      visitor = await visit(browser, server.url, `Ada ${randomUUID().slice(0, 8)}`)
      return visitor
    },
  }
}
