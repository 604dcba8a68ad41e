/** The `WebhookStore` named `sqlite`: each method waits for the database and is one read or one transaction. */
import { eq } from 'drizzle-orm'
import type { SyncDatabase, WriteTransaction } from '../../database/types.ts'
import { webhooks } from '../../database/schema/index.ts'
import * as deliveries from './deliveries.ts'
import * as registrations from './registrations.ts'
import type { WebhookStore } from './types.ts'

export interface WebhookStoreOptions {
  /** Epoch milliseconds. */
  now?: () => number
}

/** Opens nothing by itself: `database` is asked by each call. */
export function createWebhookStore(
  database: () => Promise<SyncDatabase>,
  { now = Date.now }: WebhookStoreOptions = {},
): WebhookStore {
  const write = async <T>(job: (tx: WriteTransaction, nowMs: number) => Promise<T>) =>
    (await database()).write(tx => job(tx, now()))
  const read = async () => (await database()).read

  return {
    createWebhook: webhook => write((tx, nowMs) => registrations.addWebhook(tx, webhook, nowMs)),
    updateWebhook: (webhookId, patch) => write((tx, nowMs) => registrations.changeWebhook(tx, webhookId, patch, nowMs)),
    async deleteWebhook(webhookId) {
      // Nearly all go in parts before; the cascade takes what has come since.
      await deliveries.removeDeliveries(await database(), { webhookId })
      await write(tx => tx.delete(webhooks).where(eq(webhooks.id, webhookId)))
    },
    getWebhook: async webhookId => registrations.findWebhook(await read(), webhookId),
    listWebhooks: async (userId, workspaceId) => registrations.listOfUser(await read(), userId, workspaceId),
    listAdminWebhooks: async () => registrations.listOfAdmins(await read()),
    listWebhooksByEvent: async (eventType, scope, workspaceId) =>
      registrations.listByEvent(await read(), eventType, scope, workspaceId),
    listWebhooksByCustomHook: async hookName => registrations.listByCustomHook(await read(), hookName),
    listActiveCustomHookNames: async () => registrations.listHookNames(await read()),
    async updateWebhookHealth(webhookId, health) {
      await write((tx, nowMs) =>
        tx.update(webhooks).set({ health, updatedAtMs: nowMs }).where(eq(webhooks.id, webhookId)))
    },
    disableAllWebhooks: (userId, workspaceId) =>
      write((tx, nowMs) => registrations.disableOfUser(tx, userId, workspaceId, nowMs)),

    createDeliveryLog: delivery => write(tx => deliveries.addDelivery(tx, delivery)),
    updateDeliveryLog: (deliveryId, patch) => write(tx => deliveries.changeDelivery(tx, deliveryId, patch)),
    getDeliveryLogs: async (webhookId, since) => deliveries.listDeliveries(await read(), webhookId, since),
    getRecentTerminalDeliveries: async (webhookId, limit) =>
      deliveries.listTerminalDeliveries(await read(), webhookId, limit),
    claimPendingDeliveries: async (workerId, limit) => limit >= 1
      ? write((tx, nowMs) => deliveries.claimDeliveries(tx, workerId, limit, nowMs))
      : [],
    resetStaleInFlightDeliveries: olderThanMs => write((tx, nowMs) => deliveries.resetStale(tx, olderThanMs, nowMs)),
    cancelDeliveriesByWebhook: webhookId => write(tx => deliveries.cancelDeliveries(tx, webhookId)),
    deleteDeliveryLogsByWebhook: async webhookId => deliveries.removeDeliveries(await database(), { webhookId }),
    purgeExpiredLogs: async before => deliveries.removeDeliveries(await database(), { beforeMs: before }),
  }
}
