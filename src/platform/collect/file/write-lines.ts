import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import { type Header, isEmptyRecord, parseCsvRecord } from './csv-records.ts'
import { CHUNK_BYTES, type Line, MAX_LINE_BYTES, quotesOpen, readLines } from './lines.ts'

/**
 * Writes every line of a file as a line of JSON, whatever it holds: `n` its number, `t` its text,
 * `j` the fields of a CSV record as JSON, and `fault` the reason if it cannot be read. Leaves out
 * empty lines. Returns the number of the last line, or undefined if a quote is never closed,
 * because everything after the quote may be part of a text.
 */
export async function writeLines(
  from: string,
  to: string,
  { header }: { header: Header | undefined },
): Promise<number | undefined> {
  const out = createWriteStream(to, { highWaterMark: CHUNK_BYTES })
  const done = finished(out)
  // Awaited below. Until then, keep a disk error from becoming an unhandled rejection.
  done.catch(() => {})
  const isEmpty = header === undefined ? (text: string) => text.trim() === '' : isEmptyRecord
  let lines = 0
  let isClosed = true
  for await (const line of readLines(from, header === undefined ? undefined : quotesOpen)) {
    lines = line.number
    if (line.fault === 'never_closed') isClosed = false
    if (line.number <= (header?.line ?? 0)) continue
    if (line.fault === undefined && isEmpty(line.text)) continue
    if (!out.write(`${JSON.stringify(describeLine(line, header?.fields))}\n`)) {
      await Promise.race([once(out, 'drain'), done])
    }
  }
  out.end()
  await done
  return isClosed ? lines : undefined
}

function describeLine(
  { number: n, text: t, fault }: Line,
  header: readonly string[] | undefined,
): object {
  if (fault !== undefined) return { n, t, fault }
  if (header === undefined) return { n, t }
  const all = parseCsvRecord(t)
  // Commas at the end of a record do not count as fields.
  const hasMore = all?.slice(header.length).some((field) => field !== null) === true
  const fields = hasMore ? undefined : all?.slice(0, header.length)
  if (fields?.length !== header.length) {
    return { n, t: t.slice(0, MAX_LINE_BYTES / 16), fault: 'not_csv' }
  }
  return {
    n,
    t,
    j: JSON.stringify(Object.fromEntries(header.map((name, at) => [name, fields[at]]))),
  }
}
