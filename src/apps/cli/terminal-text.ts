import { stripVTControlCharacters } from 'node:util'

/** The signs that output for people uses, and what stands for them where only ASCII is shown. */
const ASCII: Readonly<Record<string, string>> = {
  '✓': '+',
  '✕': 'x',
  '–': '-',
  '−': '-',
  '·': '|',
  '→': '->',
  '×': 'x',
  '…': '...',
  '∅': 'null',
  '▸': '>',
  '≤': '<=',
  '≥': '>=',
  '“': '"',
  '”': '"',
  '’': "'",
}
const SIGNS = new RegExp(`[${Object.keys(ASCII).join('')}]`, 'gu')

/**
 * Whether the locale in the environment shows UTF-8: by the first of `LC_ALL`, `LC_CTYPE` and `LANG`
 * that is set (POSIX, 8.2). Where none is set, nobody has said that it does not.
 */
export function showsUtf8(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find(Boolean)
  return locale === undefined || /utf-?8/i.test(locale)
}

/** The text with ASCII for Tidemark's own signs. Data stays as it is. */
export function inAscii(text: string): string {
  return text.replaceAll(SIGNS, (sign) => ASCII[sign] ?? sign)
}

/** By how much the rest of a wrapped line is indented more than its beginning. */
const HANGING = 4

/**
 * Wraps each line that is wider than so many columns between words; the rest follows below, indented.
 * Colours take no room. A word that is wider stays whole, so that it can be copied.
 */
export function fitLines(text: string, columns: number): string {
  return text
    .split('\n')
    .map((line) => (widthOf(line) <= columns ? line : wrapLine(line, columns)))
    .join('\n')
}

function wrapLine(line: string, columns: number): string {
  const indent = /^ */.exec(line)?.[0] ?? ''
  const lines = [indent]
  let gap = ''
  for (const part of line.slice(indent.length).split(/( +)/)) {
    if (part.trim() === '') {
      gap = part
      continue
    }
    const last = lines.at(-1) ?? ''
    const isEmpty = last.trim() === ''
    if (isEmpty || widthOf(last + gap + part) <= columns) {
      lines[lines.length - 1] = isEmpty ? last + part : last + gap + part
    } else {
      lines.push(indent + ' '.repeat(HANGING) + part)
    }
    gap = ''
  }
  return lines.join('\n')
}

function widthOf(text: string): number {
  return stripVTControlCharacters(text).length
}
