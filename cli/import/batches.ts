/** What is written at once: so many items, or fewer where they are heavy. Pure. */
const maxItems = 500
/** Of text in one statement. */
const maxWeight = 4 * 1024 * 1024

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
