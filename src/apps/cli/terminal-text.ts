import { stripVTControlCharacters } from 'node:util'

/** The signs in output for people, and their ASCII substitutes. */
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
 * that is set (POSIX, 8.2). If none is set, it is taken to.
 */
export function showsUtf8(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [env['LC_ALL'], env['LC_CTYPE'], env['LANG']].find(Boolean)
  return locale === undefined || /utf-?8/i.test(locale)
}

/** The text with ASCII for Tidemark's own signs. Data stays as it is. */
export function inAscii(text: string): string {
  return text.replaceAll(SIGNS, (sign) => ASCII[sign] ?? sign)
}

/** Control characters, line separators and marks that reorder text. */
const UNPRINTABLE = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu
const SHORT: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** A value as one line that cannot move the cursor: control characters as `\n` or `\u{1b}`. */
export function onOneLine(text: string): string {
  return text.replaceAll(
    UNPRINTABLE,
    (sign) => SHORT[sign] ?? `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`,
  )
}

/** How much further the rest of a wrapped line is indented than its beginning. */
const HANGING = 4

/**
 * Wraps each line that is wider than `columns` between words; the rest follows below, indented.
 * Colours take no room. A wider word stays whole, so that it can be copied.
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
