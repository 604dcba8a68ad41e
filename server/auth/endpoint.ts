/** What the routes about users and workspaces share: an answer is for who asked, so neither browser nor proxy stores it. */
import { defineEventHandler, type H3Event, setResponseHeader } from 'h3'

export function defineAuthHandler<T>(serve: (event: H3Event) => T) {
  return defineEventHandler((event) => {
    setResponseHeader(event, 'Cache-Control', 'no-store')
    return serve(event)
  })
}
