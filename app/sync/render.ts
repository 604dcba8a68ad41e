/** The two sides of a render: what the server's render reads for a page, and what the browser takes over from it. */
import { useRequestEvent, useState } from '#imports'
import type { JsonObject } from '../../shared/protocol.ts'
import type { SyncSession } from './session.ts'
import { useSyncApp } from './sync-app.ts'

/** What a page can ask while the server renders it, with the rights of its request. See server/http/page-reader.ts. */
export interface PageReader {
  session(): Promise<SyncSession | null>
  /** The current rows of a table in a workspace of the user. */
  rows(table: string, workspaceId: string): Promise<JsonObject[]>
}

/** The session that the server rendered; undefined where it rendered none. */
export function useRenderedSession() {
  return useState<SyncSession | null | undefined>('or3-sync:session', () => undefined)
}

/** The reader of this request. Undefined in the browser and where pages are prerendered. */
export function usePageReader(): PageReader | undefined {
  if (!import.meta.server) return undefined
  const reader = useRequestEvent()?.context['or3SyncPage'] as PageReader | undefined
  if (!reader) return undefined
  const rendered = useRenderedSession()
  return {
    rows: reader.rows,
    async session() {
      if (rendered.value === undefined) rendered.value = await reader.session()
      return rendered.value
    },
  }
}

/** The sync of this page, in the browser only. */
export function useBrowserSync() {
  return useSyncApp(useRenderedSession().value)
}
