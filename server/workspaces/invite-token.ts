/**
 * The token of an invite made by this layer's own routes: `<workspace id>.<32 random bytes>`. It names its workspace,
 * so that accepting one needs no search over all of them; only the SHA-256 of its random part is stored.
 */
import { createHash, randomBytes } from 'node:crypto'

/** As long as a user and workspace id may be, a dot, and the random part. */
export const maxTokenLength = 256 + 1 + 43

export interface InviteToken { token: string, workspaceId: string, tokenHash: string }

/** A new random token for the workspace. */
export function createInviteToken(workspaceId: string): InviteToken {
  return withHash(workspaceId, randomBytes(32).toString('base64url'))
}

/** Null where the text is no token at all. */
export function parseInviteToken(token: string): InviteToken | null {
  const [, workspaceId, secret] = /^(.+)\.([\w-]{43})$/s.exec(token) ?? []
  return workspaceId && secret ? withHash(workspaceId, secret) : null
}

function withHash(workspaceId: string, secret: string): InviteToken {
  const tokenHash = createHash('sha256').update(secret).digest('hex')
  return { token: `${workspaceId}.${secret}`, workspaceId, tokenHash }
}
