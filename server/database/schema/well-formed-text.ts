/**
 * A text column that always reads back. The driver ends a string at NUL and cannot read half of a surrogate pair, which
 * a host makes when it cuts a text at a length. Both become U+FFFD, when they are written and when they are compared.
 */
import { customType } from 'drizzle-orm/sqlite-core'

export const wellFormedText = customType<{ data: string, driverData: string }>({
  dataType: () => 'text',
  toDriver: value => value.toWellFormed().replaceAll('\0', '\uFFFD'),
})
