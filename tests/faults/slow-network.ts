/** A network between a server and its database server on which every byte takes a while, both ways. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface SlowNetwork {
  /** The port to connect to in the place of the real one. */
  port: number
  close(): void
}

/** Passes everything on to `port` on this machine, so that an answer comes `pingMs` later. */
export async function slowDown(port: number, pingMs: number): Promise<SlowNetwork> {
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(from)
      // Timers of one length end in the order in which they began, so the bytes keep theirs.
      from.on('data', chunk => void setTimeout(() => to.writable && to.write(chunk), pingMs / 2))
      from.on('error', () => {}).on('close', () => {
        sockets.delete(from)
        setTimeout(() => to.destroy(), pingMs / 2)
      })
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
