/** Signs out: drops the demo cookie. */
import { defineEventHandler, deleteCookie } from 'h3'
import { DEMO_COOKIE } from '../../utils/demo-user.ts'

export default defineEventHandler((event) => {
  deleteCookie(event, DEMO_COOKIE, { httpOnly: true, sameSite: 'lax', path: '/' })
  return { ok: true }
})
