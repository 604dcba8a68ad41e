/** Refuses settings that would only fail at the start, and warns of deployments that cannot keep a database file. */
import { useLogger } from '@nuxt/kit'
import { Cron } from 'croner'

/** Throws for a preset that starts several processes; warns of one without a disk that stays. */
export function assertPreset(preset: string): void {
  if (/^node.cluster$/.test(preset)) {
    throw new Error([
      'The preset node-cluster starts several processes, and one database file belongs to one process:',
      'use node-server.',
    ].join(' '))
  }
  if (/^(?:static|github.pages|gitlab.pages|.*.static)$/.test(preset)) {
    useLogger('or3-layer-sqlite').warn(`The preset ${preset} (nuxt generate) makes pages and no server: `
      + `nothing of this layer runs. Use nuxt build.`)
    return
  }
  if (/^bun$/.test(preset)) {
    useLogger('or3-layer-sqlite').warn('The preset bun is not tried with the native driver, '
      + 'and the limits by address count nobody there. Use node-server.')
    return
  }
  if (!/cloudflare|vercel|netlify|aws|azure|firebase|edge|deno.deploy|stormkit/.test(preset)) return
  useLogger('or3-layer-sqlite').warn([
    `The preset ${preset} has no disk that stays, or starts several processes:`,
    'the database needs one of each. Use node-server.',
  ].join(' '))
}

/** Throws for a text that is no cron pattern: Nitro would start with it and answer every request with 500. */
export function assertCron(pattern: string): void {
  try {
    new Cron(pattern, { paused: true })
  }
  catch {
    throw new Error([
      `or3Sqlite.backupCron or OR3_SQLITE_BACKUP_CRON is ${JSON.stringify(pattern)}:`,
      'set it to a cron pattern such as "0 3 * * *", every night at three.',
    ].join(' '))
  }
}
