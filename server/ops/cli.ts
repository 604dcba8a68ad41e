/** What `npm run db:backup` and `npm run db:restore -- FILE` start; an app has `or3-layer-sqlite backup` for it. */
import process from 'node:process'
import { runCommand } from './command.ts'

process.exitCode = await runCommand(process.argv.slice(2), process.env, process)
