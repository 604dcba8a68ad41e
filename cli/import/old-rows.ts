/** Rows of an or3-provider-sqlite database of any revision, as the import reads them; a missing column is ''. */
export interface OldChange {
  /** Null where another row has it already. */
  version: number | null
  pk: string
  op: string
  payload: string | null
  clock: number
  hlc: string
  opId: string
  deviceId: string
  createdAt: number
}

/** A materialised row. */
export interface OldRow {
  pk: string
  data: string
  clock: number
  hlc: string
  opId: string
  deviceId: string
  deleted: number
  updatedAt: number
}

export interface OldTombstone {
  pk: string
  clock: number
  hlc: string
  opId: string
  version: number
  deletedAt: number
}

/** All that the old database knows of one key. */
export interface OldKey {
  workspaceId: string
  tableName: string
  pk: string
  /** In version order. */
  log: OldChange[]
  row: OldRow | undefined
  /** Early revisions may have several. */
  tombstones: OldTombstone[]
}
