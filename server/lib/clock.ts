/** The server's clock in epoch seconds, the unit of stored moments. It ages the log and never decides a winner. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
