/** A built app, moved to another folder and started there on a database of its own; all of it gone after the tests. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { type RunningServer, startServer } from '../helpers/server.ts'
import { type App, moveOutput } from './builds.ts'

/** Each is there once the tests run. */
export interface BuiltServer {
  app: App
  output: string
  dataFolder: string
  server: RunningServer
  /** Killed without a word, and started again on the same file. */
  crash(): Promise<void>
}

export function useBuiltServer(build: () => Promise<App>, timeoutMs = 300_000): BuiltServer {
  const start = () => startServer({ output: built.output, dbPath: join(built.dataFolder, 'sync.db'), isShared: true })
  const built = {
    async crash() {
      await built.server.kill()
      built.server = await start()
    },
  } as BuiltServer

  beforeAll(async () => {
    built.app = await build()
    built.output = await moveOutput(built.app)
    built.dataFolder = await mkdtemp(join(tmpdir(), 'or3-e2e-'))
    built.server = await start()
  }, timeoutMs)

  afterAll(async () => {
    const { server, dataFolder, output } = built as Partial<BuiltServer>
    await server?.stop()
    for (const folder of [dataFolder, output && dirname(output)]) if (folder) await rm(folder, { recursive: true, force: true })
  })

  return built
}
