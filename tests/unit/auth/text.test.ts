/** Addresses are compared without their white space and the case of ASCII letters, everywhere alike. */
import type { H3Event } from 'h3'
import { expect, it } from 'vitest'
import { createAdminStoreProvider } from '../../../server/host/admin/store-provider.ts'
import { createAuthWorkspaceStore } from '../../../server/host/auth-store.ts'
import { normalizeEmail } from '../../../server/workspaces/text.ts'
import { invite, signIn } from '../../contract/auth-store-helpers.ts'
import { openTestDatabase } from '../../helpers/database.ts'

/** Looks like a K, and is a k in lower case. */
const kelvin = '\u212A'

// Seen red with `toLowerCase()`.
it('an invite is for the invited address, not for one that only looks alike', async () => {
  const database = await openTestDatabase()
  const store = createAuthWorkspaceStore(async () => database)
  const ann = await signIn(store, 'ann')
  const { workspaceId } = await store.createWorkspace({ userId: ann, name: 'W' })
  const made = await invite(store, workspaceId, ann, { email: 'kim@x.org' })
  const accept = (email: string) =>
    store.acceptInviteAndProvisionUser({ provider: 'p', providerUserId: email, ...made, email })
  expect(await accept(`${kelvin}im@x.org`)).toEqual({ ok: false, reason: 'email_mismatch' })
  expect(await accept(' KIM@X.org ')).toMatchObject({ ok: true })
})

// Seen red with `toLowerCase()`: the database's lower() left the Ä, and a second user was made.
it('an administrator finds a user by the address it is stored with', async () => {
  const database = await openTestDatabase()
  const open = async () => database
  const store = createAuthWorkspaceStore(open)
  const access = createAdminStoreProvider(open, 'p').createWorkspaceAccessStore({} as H3Event)
  const ann = await signIn(store, 'ann')
  const { userId } = await store.getOrCreateUser({ provider: 'p', providerUserId: 'u', email: 'Änna@x.org' })
  const { workspaceId } = await store.createWorkspace({ userId: ann, name: 'W' })
  await access.upsertMember({ workspaceId, emailOrProviderId: 'ÄNNA@X.org', role: 'viewer' })
  expect(await store.getWorkspaceRole({ userId, workspaceId })).toBe('viewer')
})

// Seen red: 404, or an invite that nobody could accept.
it.each([
  ['user@münchen.example', 'user@xn--mnchen-3ya.example'], ['user@MÜNCHEN.example', 'user@münchen.example'],
  ['user@example.org.', 'User@Example.org'],
])('an invite for %s is for %s', async (invited, account) => {
  const database = await openTestDatabase()
  const store = createAuthWorkspaceStore(async () => database)
  const ann = await signIn(store, 'ann')
  const { workspaceId } = await store.createWorkspace({ userId: ann, name: 'W' })
  const made = await invite(store, workspaceId, ann, { email: invited })
  expect(await store.acceptInviteAndProvisionUser({ provider: 'p', providerUserId: 'u', ...made, email: account })).toMatchObject({ ok: true })
})

it.each(['mailto:ann@x.org', 'ann', 'ann@', '@x.org', 'a b@x.org', 'ann@x..org', 'Ann <ann@x.org>'])('%s cannot be invited', async (email) => {
  const database = await openTestDatabase()
  const store = createAuthWorkspaceStore(async () => database)
  const ann = await signIn(store, 'ann')
  const { workspaceId } = await store.createWorkspace({ userId: ann, name: 'W' })
  await expect(invite(store, workspaceId, ann, { email })).rejects.toMatchObject({ message: expect.stringContaining('name@domain') as string })
})

it('normalized once is normalized', () => {
  for (const email of [' Ann@Example.ORG\n', 'İ@x.org', 'ΟΔΟΣ@x.org', `${kelvin}@x.org`]) {
    const once = normalizeEmail(email)
    expect(normalizeEmail(once)).toBe(once)
    expect(normalizeEmail(email.replaceAll(/[a-z]/g, letter => letter.toUpperCase()))).toBe(once)
  }
})
