/** The server's clock in epoch seconds: the unit of every stored moment. It ages history and never decides a winner. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
