/**
 * Writes `http-reference.md` and `openapi.json` from the table in `routes.ts`. `node docs/make-http-reference.ts`
 */
import { writeFileSync } from 'node:fs'
import { z, type ZodType } from 'zod'
import { errorKinds, type ErrorCode } from '../shared/error-codes.ts'
import { requestsPerMinute } from '../shared/limits.ts'
import { type RouteDescription, routes } from './routes.ts'

type Schema = {
  type?: string | string[], enum?: unknown[], const?: unknown, anyOf?: Schema[], oneOf?: Schema[], items?: Schema,
  properties?: Record<string, Schema>, required?: string[], minimum?: number, maximum?: number,
  minLength?: number, maxLength?: number, maxItems?: number, default?: unknown, description?: string, pattern?: string,
}

/** The JSON schema of a shape; a field with a default may be left out. */
export function toSchema(shape: ZodType): Schema {
  const schema = z.toJSONSchema(shape, { io: 'output', unrepresentable: 'any' }) as Schema & { $schema?: string }
  delete schema.$schema
  return loosen(schema)
}

function loosen(schema: Schema): Schema {
  const { properties = {}, required = [] } = schema
  const parts = [...Object.values(properties), ...schema.anyOf ?? [], ...schema.items ? [schema.items] : []]
  for (const part of parts) loosen(part)
  if (schema.required) schema.required = required.filter(name => properties[name]?.default === undefined)
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
  return schema
}

/** A schema in one line, as the page shows it. */
export function showSchema(schema: Schema): string {
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return choices.map(showSchema).join(' or ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum) return schema.enum.map(value => JSON.stringify(value)).join(' or ')
  if (schema.type === 'array') return `[${showSchema(schema.items ?? {})}, …]${bounds(undefined, schema.maxItems)}`
  if (schema.type === 'object') {
    const fields = Object.entries(schema.properties ?? {}).map(([name, inner]) => {
      const mark = schema.required?.includes(name) ? '' : '?'
      const usual = inner.default === undefined ? '' : ` = ${JSON.stringify(inner.default)}`
      return `${name}${mark}: ${showSchema(inner)}${usual}`
    })
    return fields.length === 0 ? 'object' : `{ ${fields.join(', ')} }`
  }
  const size = schema.type === 'string'
    ? bounds(schema.minLength, schema.maxLength)
    : bounds(schema.minimum, schema.maximum)
  const type = Array.isArray(schema.type) ? schema.type.join(' or ') : schema.type ?? 'any'
  return `${type}${size}${schema.description ? ` (${schema.description})` : ''}`
}

function bounds(least: number | undefined, most: number | undefined): string {
  if (least === undefined && most === undefined) return ''
  return ` ${least ?? ''}..${most ?? ''}`
}

const mediaTypes: Record<string, string> = { '/api/metrics': 'text/plain', '/api/sync/live': 'text/event-stream' }
const always: readonly ErrorCode[] = ['UNAUTHENTICATED', 'RATE_LIMITED', 'INVALID_REQUEST', 'CROSS_SITE']

function describeRoute({ method, path, summary, who, limit, query, body, answer, codes }: RouteDescription): string {
  const perMinute = requestsPerMinute[limit as keyof typeof requestsPerMinute]
  const limitText = limit === undefined ? 'none' : `\`${limit}\`: ${perMinute} a minute`
  const own = codes.map(code => `\`${code}\` (${errorKinds[code].status})`)
  return [
    `### ${method} ${path}\n`, summary, '',
    `- Who: ${who}. Rate limit: ${limitText}.`,
    ...query ? [`- Query: \`${showSchema(toSchema(query))}\``] : [],
    ...body ? [`- Body: \`${showSchema(toSchema(body))}\``] : [],
    `- Answer: \`${answer instanceof z.ZodUndefined ? 'empty' : showSchema(toSchema(answer))}\``,
    ...own.length > 0 ? [`- Codes of its own: ${own.join(', ')}`] : [],
  ].join('\n')
}

/** The page as text. */
export function makeHttpReference(): string {
  const rows = routes.map(({ method, path, who, limit, summary }) =>
    `| \`${method} ${path}\` | ${who} | ${limit ?? ''} | ${summary} |`)
  return `# HTTP reference

Made from \`docs/routes.ts\`, which uses the shapes that the server checks, by \`npm run docs\`; do not edit. The same as
OpenAPI: [openapi.json](openapi.json). An OR3 host serves its own routes instead.

Bodies and answers are JSON (UTF-8). Every route for signed-in users may also answer
${always.map(code => `\`${code}\` (${errorKinds[code].status})`).join(', ')}, and the 503s of [error-codes.md](error-codes.md); a refused request has \`{ message, data: { code, retryable } }\`. A 429 says
in \`Retry-After\` and in its text after how many seconds to ask again; \`X-RateLimit-Limit\` and \`X-RateLimit-Remaining\` say
what is left of the minute. Limits of sizes: [SPEC.md](../SPEC.md#limits).

| route | who | rate limit | what |
|---|---|---|---|
${rows.join('\n')}

## Roles

The role is the one in the workspace that the request names: in \`scope.workspaceId\`, or in the path.

| role | may |
|---|---|
| \`owner\` | all of it: roles, members, deleting the workspace, clean-up. A workspace keeps at least one (\`LAST_OWNER\`). |
| \`editor\` | read and write rows, rename the workspace, invite as editor or viewer |
| \`viewer\` | read rows and members |

Who is no member is answered 403 \`NOT_A_MEMBER\` by the sync routes, and 404 \`NOT_FOUND\` by the routes under
\`/api/workspaces\`, alike for a workspace of others, a deleted one, and one that never was.

## Invites and links

An **invite** is for one e-mail address, once. A **link** lets in whoever has it, up to \`maxUses\` times, and makes nobody an
owner; members lose none of theirs by one, and nobody's role changes. Both last 7 days, or \`expiresInSeconds\` (5 minutes to 30
days), can be revoked, and end when their maker loses the right to make them. Removing a member, or lowering their role, ends
the links (and their invites) that would undo it. Accepting either makes that workspace the user's **active** one; somebody
new gets no other workspace. A token that is over is told to who has it (409); an unknown one, and an invite for another
address, are both 404.

## Routes

${routes.map(describeRoute).join('\n\n')}
`
}

/** The same as an OpenAPI 3.1 document. */
export function makeOpenApi(): string {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const { method, path, summary, who, query, body, answer, codes } of routes) {
    const name = path.replaceAll(/:(\w+)/g, '{$1}')
    const all = [...new Set([...who === 'anybody' ? [] : always, ...codes])]
    const byStatus = Map.groupBy(all, code => errorKinds[code].status)
    ;(paths[name] ??= {})[method.toLowerCase()] = {
      summary,
      description: `Who: ${who}.`,
      parameters: [
        ...[...path.matchAll(/:(\w+)/g)].map(match =>
          ({ name: match[1], in: 'path', required: true, schema: { type: 'string' } })),
        ...Object.entries(query?.shape ?? {}).map(([name, shape]) => ({
          name, in: 'query', required: !shape.safeParse(undefined).success, schema: toSchema(shape),
        })),
      ],
      ...body && { requestBody: { required: true, content: { 'application/json': { schema: toSchema(body) } } } },
      responses: {
        200: {
          description: 'Done.',
          ...!(answer instanceof z.ZodUndefined) && {
            content: { [mediaTypes[path] ?? 'application/json']: { schema: toSchema(answer) } },
          },
        },
        ...Object.fromEntries([...byStatus].map(([status, codes]) => [status, {
          description: codes.join(', '),
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Refusal' } } },
        }])),
      },
    }
  }
  const document = {
    openapi: '3.1.0',
    info: { title: 'or3-layer-sqlite', version: '1', description: 'See http-reference.md and protocol.md.' },
    paths,
    components: {
      schemas: {
        Refusal: {
          type: 'object',
          required: ['message', 'data'],
          properties: {
            message: { type: 'string' },
            data: {
              type: 'object', required: ['code', 'retryable'],
              properties: { code: { enum: Object.keys(errorKinds) }, retryable: { type: 'boolean' } },
            },
          },
        },
      },
    },
  }
  return `${JSON.stringify(document, null, 1)}\n`
}

if (import.meta.main) {
  writeFileSync(new URL('http-reference.md', import.meta.url), makeHttpReference())
  writeFileSync(new URL('openapi.json', import.meta.url), makeOpenApi())
}
