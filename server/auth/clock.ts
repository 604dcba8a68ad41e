/** Every moment this layer stores about users and workspaces is in epoch seconds. */
export function nowSeconds(): number {
  return Math.floor(Date.now() / 1000)
}
