// server/utils/mark-overdue.ts: for a Nitro task on a schedule
import { syncedRows, writeSyncedRows } from '#or3-sync'
import { todos } from './tables.ts'

/** Marks the to-dos of a workspace that are due and not done. Gives how many. */
export async function markOverdue(workspaceId: string, nowSeconds: number): Promise<number> {
  let count = 0
  let after: string | undefined
  do {
    const { rows, next } = await syncedRows(todos, workspaceId, { where: { done: false }, after, limit: 500 })
    const due = rows.filter(todo => !todo.overdue && (todo.due_at ?? Infinity) <= nowSeconds)
    await writeSyncedRows(workspaceId, async (writer) => {
      for (const { id } of due) {
        // Read again: a device may have changed it since the page was read.
        const todo = await writer.get(todos, id)
        if (todo && !todo.done) writer.put(todos, { ...todo, overdue: true })
      }
    })
    count += due.length
    after = next ?? undefined
  } while (after !== undefined)
  return count
}
