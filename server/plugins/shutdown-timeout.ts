/**
 * Ends a server that serves the layer's own routes within a second of SIGTERM: half of it for requests, half for
 * closing the database. Nitro would wait 30 seconds for one stalled upload. A host's app does not load this plugin and
 * decides for itself (modules/sync-layer.ts); an operator can set the variable.
 */
import process from 'node:process'
import { defineNitroPlugin } from 'nitropack/runtime'

/**
 * In ms. Nitro reads it after the plugins ran, checks for open requests every 250 ms, and waits this long for `close`.
 */
const shutdownTimeout = '400'

export default defineNitroPlugin(() => {
  process.env.NITRO_SHUTDOWN_TIMEOUT ||= shutdownTimeout
})
