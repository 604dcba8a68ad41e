import { once } from 'node:events'
import { createServer } from 'node:net'

/** A port that is free now: for a server that must be told its port before it starts. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('No free port was found.')
  return address.port
}
