/** Copies and verifies database files in a child process, so that the server's event loop goes on. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'
import { ensurePrivateFile } from '../lib/private-file.ts'
import { copyScript } from './copy-script.ts'

export interface LedgerRow { hash: string, when: number }

export interface VerifiedFile {
  /** The layer's migrations, then the app's own. */
  ledgers: [layer: LedgerRow[], app: LedgerRow[]]
  /** Living ones, as the admin card counts them. */
  workspaces: number
  /** How many were ever accepted: the sum of all heads, less what a restore skipped. */
  changes: number
}

/** The operator reads its message as it is. */
export class BackupError extends Error {
  override name = 'BackupError'
}

/**
 * Makes the file `copy` from the database `source` and its log, flushed to disk. Throws `BackupError` where it is not
 * whole.
 */
export async function copyDatabase(source: string, copy: string, signal?: AbortSignal): Promise<VerifiedFile> {
  // SQLite copies into an empty file as into none, and keeps its mode.
  await ensurePrivateFile(copy)
  return runScript(source, copy, signal)
}

/** Throws `BackupError` where the file is not a whole database. */
export async function verifyDatabase(path: string): Promise<VerifiedFile> {
  return runScript('', path)
}

async function runScript(source: string, copy: string, signal?: AbortSignal): Promise<VerifiedFile> {
  // The server's own NODE_OPTIONS, a debugger's port among them, are not for the child.
  const env = { ...process.env, NODE_OPTIONS: '' }
  const args = ['--no-warnings', '--input-type=commonjs', '-e', copyScript, source, copy]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env, signal, killSignal: 'SIGKILL' })
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  let said = ''
  let complaint = ''
  child.stdout.on('data', (chunk: Buffer) => said += chunk.toString())
  child.stderr.on('data', (chunk: Buffer) => complaint += chunk.toString())
  try {
    const [code] = await once(child, 'close') as [number | null]
    if (code !== 0) {
      throw new BackupError(
        `${source === '' ? 'That file is no whole database' : 'The copying process failed'}: ${reasonOf(complaint)}`,
      )
    }
  }
  catch (error) {
    throw signal?.aborted ? new BackupError('It was stopped; nothing is left of it.') : error
  }
  finally {
    process.off('exit', endWithUs)
  }
  const { problems, ...verified } = JSON.parse(said) as VerifiedFile & { problems: string[] }
  if (problems.length > 0) throw new BackupError(`The copy is not whole: ${problems.join('; ')}`)
  return verified
}

/** Node prints the script, the error's one line, and where it was thrown. */
function reasonOf(complaint: string): string {
  return /^Error: (.+)$/m.exec(complaint)?.[1] ?? (complaint.trim().split('\n').at(-1) || 'it was ended')
}
