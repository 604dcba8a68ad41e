/**
 * A tab in Nuxt DevTools, in development only: what the sync client of the open page holds. The page behind it is
 * served by the dev server and talks to the app over a BroadcastChannel (app/sync/devtools.ts).
 */
import { addCustomTab } from '@nuxt/devtools-kit'
import { addDevServerHandler } from '@nuxt/kit'
import { defineEventHandler, setResponseHeader } from 'h3'
import { devtoolsPage } from './devtools-page.ts'

const devtoolsRoute = '/__or3-sync'

/** Adds the tab and its page. */
export function addDevtoolsTab(): void {
  addDevServerHandler({
    route: devtoolsRoute,
    handler: defineEventHandler((event) => {
      setResponseHeader(event, 'Content-Type', 'text/html; charset=utf-8')
      return devtoolsPage
    }),
  })
  addCustomTab({
    name: 'or3-sync', title: 'Sync', icon: 'carbon:data-share', category: 'app',
    view: { type: 'iframe', src: devtoolsRoute },
  })
}
