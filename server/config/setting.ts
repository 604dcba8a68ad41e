/** Parses one setting: text from the environment, any type from a runtime config. An empty value means "not set". */

/** A setting's name, as errors name it, and its value. */
export interface Setting { name: string, value: unknown }

/** A setting that cannot be used; its message is the one sentence the operator reads. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/** The value as trimmed text. Empty means "not set": compose files and shells set variables to it. */
export function toText(value: unknown): string {
  return value === undefined || value === null ? '' : String(value).trim()
}

/** True or false for the usual spellings, else undefined. */
export function parseBoolean(value: unknown): boolean | undefined {
  switch (toText(value).toLowerCase()) {
    case 'true': case '1': return true
    case 'false': case '0': return false
    default: return undefined
  }
}

/** A boolean setting. Throws `ConfigError`. */
export function readSwitch({ name, value }: Setting, fallback: boolean): boolean {
  if (toText(value) === '') return fallback
  return parseBoolean(value) ?? refuse({ name, value }, 'true or false')
}

/** A whole number within the bounds, or undefined where it is not set. Throws `ConfigError`. */
export function readNumber(
  { name, value }: Setting, { least, most }: { least: number, most?: number },
): number | undefined {
  const text = toText(value)
  if (text === '') return undefined
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= least && number <= (most ?? number)) return number
  return refuse({ name, value }, `a whole number from ${least}${most === undefined ? '' : ` to ${most}`}`)
}

/** One of the choices, in any case. Throws `ConfigError`. */
export function readChoice<T extends string>({ name, value }: Setting, choices: readonly T[], fallback: T): T {
  const text = toText(value).toUpperCase()
  if (text === '') return fallback
  return choices.find(one => one === text) ?? refuse({ name, value }, `one of ${choices.join(', ')}`)
}

function refuse({ name, value }: Setting, right: string): never {
  throw new ConfigError(`${name} is ${JSON.stringify(value)}: set it to ${right}.`)
}
