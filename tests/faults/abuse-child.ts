/** One attack in a process of its own, so that the victim's clock in the other is not slowed: `abuse-child.ts <attack> <target>`. */
import process from 'node:process'
import { attacks, type Target } from './abuse-attacks.ts'

const [name, text] = process.argv.slice(2) as [string, string]
const { ms, ...target } = JSON.parse(text) as Omit<Target, 'until'> & { ms: number }
await attacks[name]!({ ...target, until: performance.now() + ms })
process.exit(0)
