import { expect, it } from 'vitest'
import type { AdminStoreProvider, DeploymentAdminChecker, ProviderAdminAdapter } from '../../../server/admin/types.ts'
import { registerWithHost } from '../../../server/host/register.ts'
import { openTestDatabase } from '../../helpers/database.ts'

it('registers the admin stores and the status card as `sqlite`', () => {
  const registered: (AdminStoreProvider | ProviderAdminAdapter)[] = []
  registerWithHost({
    registerAdminStoreProvider: provider => registered.push(provider),
    registerProviderAdminAdapter: adapter => registered.push(adapter),
  }, openTestDatabase, 'test')
  expect(registered.map(one => one.id)).toEqual(['sqlite', 'sqlite'])
})

it('registers the checker of administrators in either form a host has', async () => {
  const registered: [string, DeploymentAdminChecker][] = []
  const database = await openTestDatabase()
  registerWithHost({ registerDeploymentAdminChecker: (id: string, create: () => DeploymentAdminChecker) => registered.push([id, create()]) }, async () => database, 'test')
  registerWithHost({ registerDeploymentAdminChecker: (one: { id: string, create: () => DeploymentAdminChecker }) => registered.push([one.id, one.create()]) }, async () => database, 'test')
  expect(registered.map(([id]) => id)).toEqual(['sqlite', 'sqlite'])
  for (const [, checker] of registered) expect(await checker.checkDeploymentAdmin('somebody', 'test')).toBe(false)
})

it('asks nothing of a host that has no such registries', () => {
  expect(() => registerWithHost({}, openTestDatabase, '')).not.toThrow()
})
