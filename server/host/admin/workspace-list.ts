/** The workspaces of the deployment for an administrator: search, pages, one by its id. Deleted ones only on demand. */
import { and, count, desc, eq, isNull, or, sql, type SQL } from 'drizzle-orm'
import type { SyncDatabase } from '../../database/types.ts'
import { users, workspaces } from '../../database/schema/index.ts'
import type { WorkspaceSearch, WorkspaceSummary } from './types.ts'
import { contains } from './user-search.ts'

const maxPerPage = 100

/** The owner whose membership is the oldest. */
const ownerUserId = sql<string | null>`(
  select m.user_id from workspace_members m where m.workspace_id = ${workspaces.id} and m.role = 'owner'
  order by m.created_at, m.rowid limit 1)`
const memberCount = sql<number>`(select count(*) from workspace_members m where m.workspace_id = ${workspaces.id})`

/** The newest first. `page` counts from 1; a page has at most 100. */
export async function listWorkspaces(
  database: SyncDatabase,
  input: WorkspaceSearch,
): Promise<{ items: WorkspaceSummary[], total: number }> {
  const perPage = clamp(input.perPage, maxPerPage)
  const page = clamp(input.page, Number.MAX_SAFE_INTEGER / maxPerPage)
  const search = input.search?.trim()
  const where = and(
    input.includeDeleted ? undefined : isNull(workspaces.deletedAt),
    search
      ? or(contains(workspaces.name, search), eq(workspaces.id, search), contains(users.email, search))
      : undefined,
  )
  const [rows, [counted]] = await Promise.all([
    selectSummaries(database, where).orderBy(desc(workspaces.createdAt), desc(sql`${workspaces}.rowid`))
      .limit(perPage).offset((page - 1) * perPage),
    database.read.select({ total: count() }).from(workspaces).leftJoin(users, eq(users.id, ownerUserId)).where(where),
  ])
  return { items: rows.map(toSummary), total: counted!.total }
}

/** One workspace, deleted or not; null where there is none. */
export async function getWorkspace(
  database: SyncDatabase,
  { workspaceId }: { workspaceId: string },
): Promise<WorkspaceSummary | null> {
  const row = await selectSummaries(database, eq(workspaces.id, workspaceId)).get()
  return row ? toSummary(row) : null
}

function selectSummaries(database: SyncDatabase, where: SQL | undefined) {
  return database.read
    .select({
      id: workspaces.id, name: workspaces.name, description: workspaces.description, createdAt: workspaces.createdAt,
      deletedAt: workspaces.deletedAt, ownerUserId: users.id, ownerEmail: users.email, memberCount,
    })
    .from(workspaces)
    .leftJoin(users, eq(users.id, ownerUserId))
    .where(where)
}

type SummaryRow = NonNullable<Awaited<ReturnType<ReturnType<typeof selectSummaries>['get']>>>

function toSummary({ description, deletedAt, ownerUserId, ownerEmail, ...row }: SummaryRow): WorkspaceSummary {
  return {
    ...row,
    description: description ?? undefined,
    deleted: deletedAt !== null,
    deletedAt: deletedAt === null ? undefined : toMilliseconds(deletedAt),
    ownerUserId: ownerUserId ?? undefined,
    ownerEmail: ownerEmail ?? undefined,
  }
}

/** Seconds have ten digits until the year 2286. */
const maxSeconds = 9_999_999_999

/** The host stores milliseconds; a delete by an owner and an import store seconds. */
function toMilliseconds(moment: number): number {
  return moment > maxSeconds ? moment : moment * 1_000
}

function clamp(value: number, max: number): number {
  return Math.min(Math.max(1, Math.trunc(value) || 1), Math.trunc(max))
}
