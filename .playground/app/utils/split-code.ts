/** Cuts a message into prose and fenced code, so that code can be shown as code. Everything stays plain text. */
export interface TextPart {
  kind: 'text' | 'code'
  text: string
}

export function splitCode(source: string): TextPart[] {
  const parts: TextPart[] = []
  let from = 0
  for (const fence of source.matchAll(/^```[^\n]*\n([\s\S]*?)(?:^```[ \t]*$|$(?![\s\S]))/gm)) {
    addText(parts, source.slice(from, fence.index))
    parts.push({ kind: 'code', text: (fence[1] ?? '').replace(/\n$/, '') })
    from = fence.index + fence[0].length
  }
  addText(parts, source.slice(from))
  return parts
}

function addText(parts: TextPart[], text: string): void {
  const trimmed = text.replace(/^\n+|\n+$/g, '')
  if (trimmed) parts.push({ kind: 'text', text: trimmed })
}
