/**
 * The host's webhook contract as real types. Moments are epoch milliseconds; a field that is not known is null, never
 * undefined. `signing_secret_enc` is the host's own ciphertext.
 */
export type WebhookScope = 'user' | 'admin'
export type WebhookHealth = 'healthy' | 'failing' | 'unknown'
export type WebhookDeliveryStatus = 'pending' | 'in_flight' | 'success' | 'failed' | 'cancelled'

export interface WebhookRegistration {
  id: string
  scope: WebhookScope
  user_id: string | null
  workspace_id: string | null
  url: string
  label: string
  /** Types of the events it wants, such as `thread.created`. */
  events: string[]
  /** Names of Nitro hooks that an administrator's webhook wants. */
  custom_hooks: string[]
  signing_secret_enc: string
  enabled: boolean
  health: WebhookHealth
  created_at: number
  updated_at: number
}

export interface WebhookDeliveryLog {
  id: string
  webhook_id: string
  event_id: string
  event_type: string
  attempt: number
  status: WebhookDeliveryStatus
  /** The worker that delivers it now, and since when. */
  claimed_by: string | null
  claimed_at: number | null
  http_status: number | null
  error_message: string | null
  /** JSON text. */
  request_payload: string
  response_body: string | null
  duration_ms: number | null
  /** Null where it is due at once. */
  next_retry_at: number | null
  created_at: number
}

export type NewWebhook = Omit<WebhookRegistration, 'id' | 'health' | 'created_at' | 'updated_at'>
/** A field that is absent or undefined stays as it is. */
type Patch<T> = { [Key in keyof T]?: T[Key] | undefined }

export type WebhookPatch = Patch<Pick<
  WebhookRegistration,
  'url' | 'label' | 'events' | 'custom_hooks' | 'enabled' | 'workspace_id'
>>
/** A field that is left out stays; null clears it. */
export type WebhookDeliveryPatch = Patch<Pick<
  WebhookDeliveryLog,
  'status' | 'attempt' | 'http_status' | 'error_message' | 'response_body' | 'duration_ms' | 'next_retry_at'
>>

export interface WebhookStore {
  createWebhook(webhook: NewWebhook): Promise<WebhookRegistration>
  /** Another url makes the health unknown. Rejects where there is no such webhook. */
  updateWebhook(webhookId: string, patch: WebhookPatch): Promise<WebhookRegistration>
  /** Its deliveries go with it. */
  deleteWebhook(webhookId: string): Promise<void>
  getWebhook(webhookId: string): Promise<WebhookRegistration | null>
  /** Of this user in this workspace, newest first. */
  listWebhooks(userId: string, workspaceId: string): Promise<WebhookRegistration[]>
  listAdminWebhooks(): Promise<WebhookRegistration[]>
  /** The enabled ones. Without a workspace: no user's, and only those administrators' that have none. */
  listWebhooksByEvent(eventType: string, scope: WebhookScope, workspaceId?: string): Promise<WebhookRegistration[]>
  listWebhooksByCustomHook(hookName: string): Promise<WebhookRegistration[]>
  listActiveCustomHookNames(): Promise<string[]>
  updateWebhookHealth(webhookId: string, health: WebhookHealth): Promise<void>
  /** Answers how many were enabled. */
  disableAllWebhooks(userId: string, workspaceId: string): Promise<number>
  createDeliveryLog(delivery: Omit<WebhookDeliveryLog, 'id'>): Promise<WebhookDeliveryLog>
  /** Whatever is not in flight has no claim. Rejects where there is no such delivery. */
  updateDeliveryLog(deliveryId: string, patch: WebhookDeliveryPatch): Promise<void>
  getDeliveryLogs(webhookId: string, since: number): Promise<WebhookDeliveryLog[]>
  /** The successful and the failed, newest first. */
  getRecentTerminalDeliveries(webhookId: string, limit: number): Promise<WebhookDeliveryLog[]>
  /** Takes what is due; no two claims get one delivery. */
  claimPendingDeliveries(workerId: string, limit: number): Promise<WebhookDeliveryLog[]>
  /** Makes deliveries pending again whose claim is older than `olderThanMs`. Answers how many. */
  resetStaleInFlightDeliveries(olderThanMs: number): Promise<number>
  cancelDeliveriesByWebhook(webhookId: string): Promise<number>
  deleteDeliveryLogsByWebhook(webhookId: string): Promise<number>
  /** Removes all that were made before, whatever their status. */
  purgeExpiredLogs(before: number): Promise<number>
}

export interface WebhookStoreRegistration { id: string, order?: number, create: () => WebhookStore }
