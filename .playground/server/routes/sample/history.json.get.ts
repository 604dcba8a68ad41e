/** The sample chat export: the tests' fixture itself, so that there is one copy of it. */
import { createError, defineEventHandler, setHeader } from 'h3'

export default defineEventHandler(async (event) => {
  const file = await useStorage('assets:sample').getItemRaw<string | Uint8Array>('history.json')
  if (!file) throw createError({ statusCode: 404, message: 'This build carries no sample history.' })
  setHeader(event, 'content-type', 'application/json; charset=utf-8')
  return file
})
