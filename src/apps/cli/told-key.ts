import { onOneLine } from './terminal-text.ts'

/** One value of a key, with the comma behind it: quoted as in CSV, or plain. */
const PART = /(?:"(?<quoted>(?:[^"]|"")*)"|(?<plain>[^,]*))(?<comma>,|$)/gy

/**
 * The values of a key as a person writes them. A key with one column is its value as it is. Several
 * are separated by commas, and a value that holds a comma is quoted as in CSV: `1,"a,b"`.
 */
export function parseKey(text: string, columns: number): string[] {
  if (columns === 1) return [text]
  const values: string[] = []
  for (const { groups } of text.matchAll(PART)) {
    values.push(groups?.['quoted']?.replaceAll('""', '"') ?? groups?.['plain'] ?? '')
    if (groups?.['comma'] === '') break
  }
  return values
}

/** The values of a key on one line, as `parseKey` reads them if they hold no control characters. */
export function tellKey(values: readonly string[]): string {
  const only = values.length === 1 ? values[0] : undefined
  const written =
    only ??
    values
      .map((value) => (/[",]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value))
      .join(',')
  return onOneLine(written)
}
