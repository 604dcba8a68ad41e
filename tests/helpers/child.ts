/** A second process of a test: a file run by this Node, spoken to by lines, gone after the test whatever happens. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { makeOneFile } from './one-file.ts'

export interface Child {
  /** The next line it prints; fails with what it said on stderr when it ends instead. */
  line(): Promise<string>
  /** Closes its stdin, which asks it to end, and waits for that. */
  end(): Promise<number | null>
  kill(signal?: NodeJS.Signals): Promise<void>
}

/** Starts `file` (a path relative to `tests/`) with `args`. */
export function startChild(file: string, args: readonly string[], env: Record<string, string> = {}): Child {
  const path = makeOneFile(new URL(`../${file}`, import.meta.url))
  const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  const exited = once(child, 'exit')
  let complaint = ''
  child.stderr.on('data', (chunk: Buffer) => complaint += chunk.toString())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  void exited.then(() => process.off('exit', killAtExit))
  return {
    async line() {
      const { value, done } = await lines.next()
      if (!done) return value
      await exited
      throw new Error(`${file} ended: ${complaint}`)
    },
    async end() {
      child.stdin.end()
      await exited
      return child.exitCode
    },
    async kill(signal = 'SIGKILL') {
      child.kill(signal)
      await exited
    },
  }
}
