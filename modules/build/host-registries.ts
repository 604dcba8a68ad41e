/**
 * The registries of an OR3 host. An app with both of the first two is a host; the layer has files of its own for them
 * where it stands alone. Each of the others is optional.
 */
import { useLogger } from '@nuxt/kit'
import { resolveSource } from './paths.ts'

/** By the alias that the layer's server files import: the host's file under its server folder, and the layer's own. */
const registries = {
  '#or3-sqlite/sync-registry': { host: 'sync/gateway/registry', own: 'host/sync-adapter/registry' },
  '#or3-sqlite/auth-registry': { host: 'auth/store/registry', own: 'workspaces/store/registry' },
}
const registryFiles = Object.values(registries).map(({ host }) => host)

/**
 * By the function to call (server/host/register.ts): the places where a release of the host may have it, under its
 * server folder. The first file that is there counts.
 */
const hostRegistries = {
  registerAdminStoreProvider: ['admin/stores/registry'],
  registerProviderAdminAdapter: ['admin/providers/registry'],
  registerDeploymentAdminChecker: ['auth/deployment-admin', 'auth/deployment-admin/registry'],
  registerRateLimitProvider: ['utils/rate-limit/registry', 'rate-limit/registry'],
  registerBackgroundJobProvider: ['utils/background-jobs/registry', 'background-jobs/registry'],
  registerWebhookStore: ['utils/webhooks/store/registry', 'webhooks/store/registry'],
  registerConnectStore: ['connect/store/registry', 'utils/connect/store/registry'],
  emitWebhookSystemHook: ['utils/webhooks/runtime', 'webhooks/runtime'],
}

export interface HostBinding {
  isHosted: boolean
  /** The registry behind each alias: the host's file, or the layer's own relative to its server folder. */
  aliases: Record<string, { hostFile: string } | { own: string }>
}

/** Finds out whether the app is a host. Warns where it has only one of the two registries. */
export async function bindRegistries(appServer: string): Promise<HostBinding> {
  const found = await Promise.all(registryFiles.map(name => resolveSource(appServer, name)))
  const isHosted = found.every(file => file !== undefined)
  if (!isHosted && found.some(file => file !== undefined)) {
    useLogger('or3-layer-sqlite').warn([
      `This app has only one of server/${registryFiles.join(' and server/')}:`,
      'it is taken for no host, and the layer serves routes of its own.',
    ].join(' '))
  }
  const aliases = Object.entries(registries).map(([alias, { own }], index) => {
    const hostFile = isHosted ? found[index] : undefined
    return [alias, hostFile === undefined ? { own: `${own}.ts` } : { hostFile }] as const
  })
  return { isHosted, aliases: Object.fromEntries(aliases) }
}

export interface HostFile { name: string, file: string }

/** The optional registries that the host has. */
export async function findHostRegistries(appServer: string): Promise<HostFile[]> {
  const found = await Promise.all(Object.entries(hostRegistries).map(async ([name, places]) => {
    const files = await Promise.all(places.map(place => resolveSource(appServer, place)))
    const file = files.find(one => one !== undefined)
    return file === undefined ? [] : [{ name, file }]
  }))
  return found.flat()
}

/** The text of the module that gives the layer the host's functions. */
export function writeHostRegistries(files: readonly HostFile[]): string {
  return [
    ...files.map(({ file }, index) => `import * as registry${index} from ${JSON.stringify(file)}`),
    // A host of another release may have the file and not the function.
    'const find = (registry, name) => registry[name]',
    'export default {',
    ...files.map(({ name }, index) => `  ${name}: find(registry${index}, '${name}'),`),
    '}',
  ].join('\n')
}
