// server/plugins/notify.ts: what was applied, for an index or a notification
import type { AppliedOps } from '#or3-sync'

/** What Nitro hands a plugin. In an app: `export default defineNitroPlugin(notifyOfTodos)`. */
interface NitroApp { hooks: { hook(name: 'sync:applied', listener: (applied: AppliedOps) => unknown): unknown } }

export function notifyOfTodos(nitroApp: NitroApp, notify: (text: string) => unknown = console.log): void {
  nitroApp.hooks.hook('sync:applied', async ({ workspaceId, ops }) => {
    for (const { tableName, operation, pk, wasExisting } of ops) {
      if (tableName === 'todos' && operation === 'put' && !wasExisting) await notify(`New to-do ${pk} in ${workspaceId}`)
    }
  })
}
