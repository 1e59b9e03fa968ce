import { type Line, quotesOpen, readLines } from './lines.ts'

/** The titles of a CSV file. */
export interface Header {
  readonly fields: readonly string[]
  /** The line on which it ends, from 1. */
  readonly line: number
}

/**
 * The first CSV record that is not empty. It has no fields if all records are empty, and is
 * undefined if it cannot be read.
 */
export async function readHeader(path: string): Promise<Header | undefined> {
  for await (const { number, text, fault } of readLines(path, quotesOpen)) {
    if (fault !== undefined) return undefined
    if (isEmptyRecord(text)) continue
    const fields = parseCsvRecord(text)?.map((field) => field ?? '')
    return fields && { fields, line: number + text.split('\n').length - 1 }
  }
  return { fields: [], line: 0 }
}

/** The CSV records below the header, without empty ones. */
export async function* readRecords(path: string, header: Header): AsyncGenerator<Line> {
  for await (const line of readLines(path, quotesOpen)) {
    if (line.number <= header.line) continue
    if (line.fault === undefined && isEmptyRecord(line.text)) continue
    yield line
  }
}

/** Whether a CSV record is empty: only blanks, or only the commas that spreadsheets leave. */
export function isEmptyRecord(text: string): boolean {
  return text.trim() === '' || /^,+$/.test(text)
}

/**
 * The fields of a CSV record. An empty field without quotes is null. Returns undefined if the text
 * is not CSV.
 */
export function parseCsvRecord(text: string): (string | null)[] | undefined {
  const fields: (string | null)[] = []
  const field = /(?:"((?:[^"]|"")*)"|((?! *")[^,\r\n]*))(,|$)/y
  for (;;) {
    const found = field.exec(text)
    if (found === null) return undefined
    const [, quoted, plain = '', end] = found
    fields.push(quoted === undefined ? (plain === '' ? null : plain) : quoted.replaceAll('""', '"'))
    if (end === '') return field.lastIndex === text.length ? fields : undefined
  }
}
