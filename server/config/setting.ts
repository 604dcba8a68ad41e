/** Reads one setting as an operator or an app gives it: as text in the environment, as any type in a runtime config. */

/** A setting by the name that it goes by in errors, and what was given for it. */
export interface Setting { name: string, value: unknown }

/** A setting that cannot be used; its message is the one sentence the operator reads. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/** An empty value is no value: compose files and shells set variables to it. */
export function toText(value: unknown): string {
  return value === undefined || value === null ? '' : String(value).trim()
}

/** Undefined where it is neither on nor off. */
export function parseBoolean(value: unknown): boolean | undefined {
  switch (toText(value).toLowerCase()) {
    case 'true': case '1': return true
    case 'false': case '0': return false
    default: return undefined
  }
}

export function readSwitch({ name, value }: Setting, fallback: boolean): boolean {
  if (toText(value) === '') return fallback
  return parseBoolean(value) ?? refuse({ name, value }, 'true or false')
}

export function readNumber({ name, value }: Setting, { least, most }: { least: number, most?: number }): number | undefined {
  const text = toText(value)
  if (text === '') return undefined
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= least && number <= (most ?? number)) return number
  return refuse({ name, value }, `a whole number from ${least}${most === undefined ? '' : ` to ${most}`}`)
}

export function readChoice<T extends string>({ name, value }: Setting, choices: readonly T[], fallback: T): T {
  const text = toText(value).toUpperCase()
  if (text === '') return fallback
  return choices.find(one => one === text) ?? refuse({ name, value }, `one of ${choices.join(', ')}`)
}

function refuse({ name, value }: Setting, right: string): never {
  throw new ConfigError(`${name} is ${JSON.stringify(value)}: set it to ${right}.`)
}
