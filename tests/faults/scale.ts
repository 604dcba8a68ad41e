/** How large the fault runs are: 1 is what fits into a change's checks. */
export const scale = Number(process.env.OR3_FAULTS_SCALE ?? 1)

/** One line for whoever reads the log. */
export function report(name: string, figures: object) {
  console.log(`${name}: ${JSON.stringify(figures)}`)
}
