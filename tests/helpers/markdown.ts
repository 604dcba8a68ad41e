/** The code blocks of a page of docs, so that tests run what is written there. */
import { readFileSync } from 'node:fs'

export interface CodeBlock {
  /** The nearest heading above it. */
  heading: string
  language: string
  /** The words after the language. */
  words: string[]
  text: string
}

/** Reads the blocks of a page under the project's root, in order. */
export function readCodeBlocks(page: string): CodeBlock[] {
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8')
  const blocks: CodeBlock[] = []
  let heading = ''
  for (const [, title, info, code] of text.matchAll(/^#+ (.+)$|^```(\S+[^\n]*)\n([\s\S]*?)^```$/gm)) {
    if (title !== undefined) heading = title
    else {
      const [language = '', ...words] = info!.trim().split(/\s+/)
      blocks.push({ heading, language, words, text: code! })
    }
  }
  return blocks
}
