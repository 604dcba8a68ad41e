/**
 * A server that serves the layer's own routes ends within a second of SIGTERM: what is under way has half of it to
 * finish, closing the database the other half. Nitro would wait 30 seconds for one stalled upload. A host, whose app
 * has no such plugin (modules/sync-layer.ts), decides for itself; so does an operator who sets the variable.
 */
import process from 'node:process'
import { defineNitroPlugin } from 'nitropack/runtime'

/** In ms: nitro, which reads it after the plugins, looks twice, 250 apart, for open requests, and waits so long for `close`. */
const shutdownTimeout = '400'

export default defineNitroPlugin(() => {
  process.env.NITRO_SHUTDOWN_TIMEOUT ||= shutdownTimeout
})
