/**
 * Live streams are closed before the server stops. Nitro's `close` hook comes only when every connection has ended, so
 * an open stream would hold SIGTERM up; a development server that reloads calls it at once. A host has no such plugin,
 * nor live streams.
 */
import process from 'node:process'
import { defineNitroPlugin } from 'nitropack/runtime'
import { closeLiveStreams } from '../http/live/live.ts'

export default defineNitroPlugin((nitroApp) => {
  if (import.meta.prerender) return
  nitroApp.hooks.hook('close', closeLiveStreams)
  if (!import.meta.dev) {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, closeLiveStreams)
    return
  }
  // A worker that is left behind hears of the newer one where the database does (sync-layer.ts).
  const workers = new BroadcastChannel('or3-layer-sqlite')
  workers.onmessage = closeLiveStreams
  ;(workers as unknown as { unref(): void }).unref()
})
