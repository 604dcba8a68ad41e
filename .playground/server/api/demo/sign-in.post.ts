/** Signs in under a name: POST { name } sets the demo cookie. */
import { createError, defineEventHandler, readBody, setCookie } from 'h3'
import { DEMO_COOKIE, parseDemoName } from '../../utils/demo-user.ts'

const THIRTY_DAYS_SECONDS = 30 * 24 * 60 * 60

export default defineEventHandler(async (event) => {
  const body = await readBody<{ name?: unknown } | null>(event)
  const name = parseDemoName(body?.name)
  if (!name) {
    throw createError({ statusCode: 400, message: 'A name has 1 to 64 characters and no control characters.' })
  }
  setCookie(event, DEMO_COOKIE, name, {
    httpOnly: true,
    sameSite: 'lax',
    path: '/',
    maxAge: THIRTY_DAYS_SECONDS,
  })
  return { name }
})
