/**
 * Webhooks, their deliveries, and OR3 Connect's authorizations and environments: copied with their ids and moments.
 * What cannot be read, or refers to a webhook that is not there, is left behind and shows in the report's counts.
 */
import type { SQLiteInsertValue, SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { SyncDatabase } from '../../server/database/types.ts'
import {
  connectAuthorizations, connectEnvironments, webhookCustomHooks, webhookDeliveries, webhooks,
} from '../../server/database/schema/index.ts'
import { inBatches } from './batches.ts'
import { type OldRow, toAuthorizationRow, toDeliveryRow, toEnvironmentRow, toWebhookRow } from './host-rows.ts'
import type { ImportReport } from './report.ts'
import type { Source } from './source.ts'

/** How a table is copied. */
interface Copy<T extends SQLiteTable> {
  from: string
  columns: readonly string[]
  into: T
  /** Undefined for what is left behind. */
  convert: (row: OldRow) => SQLiteInsertValue<T> | undefined
}

const webhookColumns = [
  'id', 'scope', 'user_id', 'workspace_id', 'url', 'label', 'events', 'custom_hooks', 'signing_secret_enc', 'enabled',
  'health',
  'created_at', 'updated_at',
]
const deliveryColumns = [
  'id', 'webhook_id', 'event_id', 'event_type', 'attempt', 'status', 'claimed_by', 'claimed_at', 'http_status',
  'error_message',
  'request_payload', 'response_body', 'duration_ms', 'next_retry_at', 'created_at',
]
const authorizationColumns = [
  'id', 'device_code_hash', 'user_code_hash', 'user_code_display', 'status', 'host_json', 'approved_user_id',
  'approved_workspace_id',
  'environment_id', 'credential_ciphertext', 'credential_delivery_started_at', 'credential_redeliver_until',
  'expires_at', 'created_at',
  'updated_at',
]
const environmentColumns = [
  'id', 'user_id', 'workspace_id', 'name', 'platform', 'architecture', 'driver', 'runtime', 'base_path', 'host_id',
  'signing_public_key', 'noise_public_key', 'authorization_id', 'hostname', 'tunnel_id', 'dns_record_id',
  'relay_authenticator',
  'control_token_hash', 'access_credential_ciphertext', 'tunnel_secret_ciphertext', 'status', 'lifecycle_attempts',
  'lifecycle_next_attempt_at', 'lifecycle_claim_token', 'lifecycle_claimed_until', 'provisioning_deadline_at',
  'activation_deadline_at', 'activation_claimed_at', 'lifecycle_error', 'last_seen_at', 'created_at', 'updated_at',
  'revoked_at',
]

/** What is copied here; the index of custom hooks is made anew from the webhooks. */
export const hostStoreTables = [
  'webhook_registrations', 'webhook_delivery_logs', 'connect_device_authorizations', 'connect_environments',
]

/** Copies all of it into an empty database. `onRows` hears how many rows were read. */
export async function importHostStores(
  database: SyncDatabase,
  source: Source,
  report: ImportReport,
  onRows: (count: number) => void,
): Promise<void> {
  const known = new Set<string>()
  const copy = async <T extends SQLiteTable>({ from, columns, into, convert }: Copy<T>) => {
    const count = { read: 0, written: 0 }
    for (const batch of inBatches(source.rows(from, columns), weigh)) {
      count.read += batch.length
      const rows = batch.map(row => convert(row)).filter(row => row !== undefined)
      if (rows.length > 0) {
        count.written += (await database.write(tx => tx.insert(into).values(rows).onConflictDoNothing())).rowsAffected
      }
      onRows(batch.length)
    }
    if (count.read > 0) report.tables.push({ name: from, ...count })
  }
  const hooks: { webhookId: string, hookName: string }[] = []
  await copy({
    from: 'webhook_registrations', columns: webhookColumns, into: webhooks,
    convert(old) {
      const row = toWebhookRow(old)
      if (row) known.add(row.id)
      for (const hookName of row?.customHooks ?? []) hooks.push({ webhookId: row!.id, hookName })
      return row
    },
  })
  for (const batch of inBatches(hooks)) {
    await database.write(tx => tx.insert(webhookCustomHooks).values(batch).onConflictDoNothing())
  }
  await copy({
    from: 'webhook_delivery_logs', columns: deliveryColumns, into: webhookDeliveries,
    convert: old => known.has(String(old['webhook_id'])) ? toDeliveryRow(old) : undefined,
  })
  await copy({
    from: 'connect_device_authorizations', columns: authorizationColumns, into: connectAuthorizations,
    convert: toAuthorizationRow,
  })
  await copy({
    from: 'connect_environments', columns: environmentColumns, into: connectEnvironments, convert: toEnvironmentRow,
  })
}

function weigh(row: OldRow): number {
  return String(row['request_payload'] ?? '').length
}
