/**
 * Who is in the long run, and what happens to them: two February devices of an owner and a later device of an editor
 * write into one workspace, go offline, and find a server again that was killed and whose past has grown old meanwhile.
 */
import { DatabaseSync } from 'node:sqlite'
import type { Chance } from '../../helpers/chance.ts'
import type { RunningServer } from '../../helpers/server.ts'
import { tableNames } from '../../helpers/sync.ts'
import { createClient, readAnswer } from '../client.ts'
import type { TableName } from './device.ts'
import { createFebruaryDevice, type FebruaryDevice } from './february.ts'
import { createLateDevice, type LateDevice } from './late.ts'
import { createNetwork } from './network.ts'

type Fetch = RunningServer['fetch']

export interface Household {
  workspaceId: string
  devices: (FebruaryDevice | LateDevice)[]
  february: [FebruaryDevice, FebruaryDevice]
  late: LateDevice
  /** One more device of the owner or the editor. */
  join(kind: 'february', who: 'owner' | 'editor', id: string): FebruaryDevice
  join(kind: 'late', who: 'owner' | 'editor', id: string): LateDevice
}

export const people = { owner: 'ada', editor: 'bob' }

/** Makes the workspace with both people in it. */
export async function gather(fetch: Fetch, now: () => number, chance: Chance): Promise<Household> {
  const [ada, bob] = [createClient({ fetch }, 'x-user', people.owner), createClient({ fetch }, 'x-user', people.editor)]
  const workspaceId = await ada.workspaceId()
  await bob.workspaceId()
  await readAnswer(await fetch('/api/admin/members', {
    method: 'POST',
    headers: { 'x-user': people.owner, 'x-super-admin': 'yes', 'content-type': 'application/json' },
    body: JSON.stringify({ workspaceId, emailOrProviderId: `${people.editor}@example.test`, role: 'editor' }),
  }))
  await readAnswer(await bob.request('/api/workspaces/active', { body: { id: workspaceId } }))
  const userIds = { owner: await readUserId(ada), editor: await readUserId(bob) }
  const options = (who: keyof typeof people, id: string, skewMs = 0) =>
    ({ id, workspaceId, userId: userIds[who], now, skewMs, network: createNetwork({ fetch, user: people[who], chance }) })
  const february: [FebruaryDevice, FebruaryDevice] = [
    createFebruaryDevice(options('owner', 'laptop')),
    createFebruaryDevice(options('owner', 'phone', 90_000)),
  ]
  const late = createLateDevice(options('editor', 'tablet', -45_000))
  return {
    workspaceId, february, late,
    devices: [...february, late],
    join: ((kind, who, id) => (kind === 'late' ? createLateDevice : createFebruaryDevice)(options(who, id))) as Household['join'],
  }
}

async function readUserId(client: ReturnType<typeof createClient>): Promise<string> {
  const { session } = await readAnswer<{ session: { user: { id: string } } }>(await client.request('/api/auth/session'))
  return session.user.id
}

/** Few enough for devices to meet at most of them. */
const keysPerTable = 8

/** Puts, deletes, and puts of what was deleted, of any of the seven tables. */
export function writeAnything(device: FebruaryDevice | LateDevice, chance: Chance): void {
  const tableName = tableNames[chance(tableNames.length)] as TableName
  const pk = nameOf(tableName, chance(keysPerTable), device.network.user)
  const isLive = device.rows.get(`${tableName}/${pk}`)?.op === 'put'
  device.write(tableName, pk, isLive && chance(3) === 0 ? 'delete' : 'put')
}

function nameOf(tableName: TableName, number: number, user: string): string {
  if (tableName === 'file_meta') return `sha256:${String(number).padStart(64, '0')}`
  if (tableName === 'kv') return `kv:setting-${number}`
  return tableName === 'notifications' ? `notification-${user}-${number}` : `${tableName}-${number}`
}

/** While the server is down: all that is younger than `days` becomes that much older; of `silent` devices the cursor too. */
export function letTimePass(dbPath: string, days: number, silent: readonly string[] = []): void {
  const seconds = days * 86_400
  const database = new DatabaseSync(dbPath)
  const isYoung = (column: string) => `${column} > unixepoch() - ${seconds}`
  database.exec(`
    update changes set created_at = created_at - ${seconds} where ${isYoung('created_at')};
    update records set tombstone_at = tombstone_at - ${seconds} where ${isYoung('tombstone_at')};`)
  for (const id of silent) database.prepare(`update device_cursors set updated_at = updated_at - ? where device_id = ?`).run(seconds, id)
  database.close()
}
