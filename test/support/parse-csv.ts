/**
 * The records of a CSV (RFC 4180). An empty cell is undefined, and `""` an empty text. Throws if the
 * text is not CSV, or if a line does not end in CRLF.
 */
export function parseCsv(text: string): (string | undefined)[][] {
  const records: (string | undefined)[][] = []
  let record: (string | undefined)[] = []
  let at = 0
  while (at < text.length) {
    const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y
    cell.lastIndex = at
    const found = cell.exec(text)
    if (found === null) throw new TypeError(`not CSV at ${at}: ${text.slice(at, at + 40)}`)
    record.push(found[1] === undefined ? found[2] || undefined : found[1].replaceAll('""', '"'))
    if (found[3] === '\r\n') {
      records.push(record)
      record = []
    }
    at = cell.lastIndex
  }
  if (record.length > 0) throw new TypeError('the last record has no end')
  return records
}
