/** Webhooks and deliveries as rows and back. Pure. */
import type { webhookDeliveries, webhooks } from '../../database/schema/index.ts'
import type { WebhookDeliveryLog, WebhookDeliveryPatch, WebhookPatch, WebhookRegistration } from './types.ts'

export type WebhookRow = typeof webhooks.$inferSelect
export type DeliveryRow = Omit<typeof webhookDeliveries.$inferSelect, 'dueAtMs'>

/** The webhook a row holds. */
export function toWebhook(row: WebhookRow): WebhookRegistration {
  return {
    id: row.id,
    scope: row.scope,
    user_id: row.userId,
    workspace_id: row.workspaceId,
    url: row.url,
    label: row.label,
    events: row.events,
    custom_hooks: row.customHooks,
    signing_secret_enc: row.signingSecret,
    enabled: row.enabled,
    health: row.health,
    created_at: row.createdAtMs,
    updated_at: row.updatedAtMs,
  }
}

/** The row of a webhook; what is not given is null. */
export function toWebhookRow(webhook: WebhookRegistration): WebhookRow {
  return {
    id: webhook.id,
    scope: webhook.scope,
    userId: webhook.user_id ?? null,
    workspaceId: webhook.workspace_id ?? null,
    url: webhook.url,
    label: webhook.label,
    events: webhook.events,
    customHooks: webhook.custom_hooks,
    signingSecret: webhook.signing_secret_enc,
    enabled: webhook.enabled,
    health: webhook.health,
    createdAtMs: webhook.created_at,
    updatedAtMs: webhook.updated_at,
  }
}

/** What a patch changes of a row; a key that it lacks, or that is undefined, stays. */
export function toWebhookChange(patch: WebhookPatch): Partial<WebhookRow> {
  const { url, label, events, custom_hooks: customHooks, enabled, workspace_id: workspaceId } = patch
  return withoutUndefined({ url, label, events, customHooks, enabled, workspaceId })
}

/** The delivery a row holds. */
export function toDelivery(row: DeliveryRow): WebhookDeliveryLog {
  return {
    id: row.id,
    webhook_id: row.webhookId,
    event_id: row.eventId,
    event_type: row.eventType,
    attempt: row.attempt,
    status: row.status,
    claimed_by: row.claimedBy,
    claimed_at: row.claimedAtMs,
    http_status: row.httpStatus,
    error_message: row.errorMessage,
    request_payload: row.requestPayload,
    response_body: row.responseBody,
    duration_ms: row.durationMs,
    next_retry_at: row.nextRetryAtMs,
    created_at: row.createdAtMs,
  }
}

/** The row of a delivery; what is not given is null. */
export function toDeliveryRow(delivery: WebhookDeliveryLog): DeliveryRow {
  return {
    id: delivery.id,
    webhookId: delivery.webhook_id,
    eventId: delivery.event_id,
    eventType: delivery.event_type,
    attempt: delivery.attempt,
    status: delivery.status,
    claimedBy: delivery.claimed_by ?? null,
    claimedAtMs: delivery.claimed_at ?? null,
    httpStatus: delivery.http_status ?? null,
    errorMessage: delivery.error_message ?? null,
    durationMs: delivery.duration_ms ?? null,
    nextRetryAtMs: delivery.next_retry_at ?? null,
    createdAtMs: delivery.created_at,
    responseBody: delivery.response_body ?? null,
    requestPayload: delivery.request_payload,
  }
}

/** What a patch changes of a row; null clears, a key that it lacks, or that is undefined, stays. */
export function toDeliveryChange(patch: WebhookDeliveryPatch): Partial<DeliveryRow> {
  return withoutUndefined({
    status: patch.status,
    attempt: patch.attempt,
    httpStatus: patch.http_status,
    errorMessage: patch.error_message,
    responseBody: patch.response_body,
    durationMs: patch.duration_ms,
    nextRetryAtMs: patch.next_retry_at,
  })
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function withoutUndefined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>
}
