/**
 * What the child process of a backup runs. It is text, because a built server has no source files to start one from;
 * it needs nothing but Node. It only reads the source, so that the server stays the one that writes and checkpoints.
 */

/** In `layer_state`: how many versions were never given, since a restore went on above them. */
export const skippedVersionsName = 'skipped_versions'

/** `argv`: the source to copy or an empty string, the file to make or to verify. Prints one JSON object. */
export const copyScript = `
const { DatabaseSync } = require('node:sqlite')
const { openSync, fsyncSync, closeSync } = require('node:fs')
const [source, copy] = process.argv.slice(1)
const state = (database) => {
  const has = name => database.prepare('select 1 from sqlite_master where name = ?').get(name) !== undefined
  const ledgers = ['__or3_layer_migrations', '__drizzle_migrations'].map(name => has(name)
    ? database.prepare('select hash, created_at as "when" from "' + name + '" order by rowid').all()
        .map(row => ({ hash: String(row.hash), when: Number(row.when) }))
    : [])
  const heads = has('logs') ? database.prepare('select workspace_id as id, head from logs').all() : []
  const skipped = has('layer_state')
    ? database.prepare('select value from layer_state where name = ?').get('${skippedVersionsName}')
    : undefined
  const deleted = has('workspaces')
    ? database.prepare('select id from workspaces where deleted_at is not null').all()
    : []
  const stored = has('workspaces') ? database.prepare('select id from workspaces where deleted_at is null').all() : []
  const living = new Set([...stored, ...heads].map(row => row.id))
  for (const { id } of deleted) living.delete(id)
  return {
    ledgers, heads: new Map(heads.map(row => [row.id, row.head])),
    workspaces: living.size, skipped: Number(skipped?.value ?? 0),
  }
}
let before
if (source !== '') {
  const database = new DatabaseSync(source, { readOnly: true, timeout: 10000 })
  before = state(database)
  database.prepare('vacuum into ?').run(copy)
  database.close()
}
const database = new DatabaseSync(copy, { readOnly: true })
const problems = database.prepare('pragma integrity_check(5)').all()
  .map(row => row.integrity_check).filter(text => text !== 'ok')
const orphans = database.prepare('pragma foreign_key_check').all().length
if (orphans > 0) problems.push(orphans + ' rows refer to nothing')
const after = state(database)
if (before) {
  if (JSON.stringify(before.ledgers) !== JSON.stringify(after.ledgers)) {
    problems.push('its migrations are not those of the database')
  }
  for (const [id, head] of before.heads) {
    if (!(after.heads.get(id) >= head)) {
      problems.push('a workspace is at version ' + after.heads.get(id) + ', and was at ' + head + ' before the copy')
    }
  }
}
const changes = [...after.heads.values()].reduce((sum, head) => sum + head, -after.skipped)
database.close()
if (source !== '') {
  const file = openSync(copy, 'r+')
  fsyncSync(file)
  closeSync(file)
}
console.log(JSON.stringify({ problems, ledgers: after.ledgers, workspaces: after.workspaces, changes }))
`
