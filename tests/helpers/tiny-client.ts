/** The client of docs/examples/tiny-client.js, with the types that plain JavaScript does not have. */
import type { PushResultItem } from '../../shared/protocol.ts'

interface TinyRow { tableName: string, pk: string, payload: Record<string, unknown> | null }

export interface TinyClient {
  put(tableName: string, pk: string, payload: object): void
  remove(tableName: string, pk: string): void
  rowsOf(tableName: string): TinyRow[]
  readonly pending: object[]
  readonly refused: { op: object, receipt: PushResultItem }[]
  sync(): Promise<void>
}

export interface TinyClientOptions { origin: string, workspaceId: string, headers?: Record<string, string>, deviceId?: string }

const url = new URL('../../docs/examples/tiny-client.js', import.meta.url).href

export const { createTinyClient } = await import(url) as { createTinyClient(options: TinyClientOptions): TinyClient }
