/** Splits items into the parts that are written at once: 500 items, or fewer where they are large. Pure. */
const maxItems = 500
/** Characters of text in one statement. */
const maxWeight = 4 * 1024 * 1024

/** `weigh` gives an item's length in characters. */
export function* inBatches<T>(items: Iterable<T>, weigh: (item: T) => number = () => 0): Iterable<T[]> {
  let batch: T[] = []
  let weight = 0
  for (const item of items) {
    batch.push(item)
    weight += weigh(item)
    if (batch.length < maxItems && weight < maxWeight) continue
    yield batch
    batch = []
    weight = 0
  }
  if (batch.length > 0) yield batch
}
