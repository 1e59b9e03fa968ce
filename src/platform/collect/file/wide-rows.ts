import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { finished } from 'node:stream/promises'
import { duckLiteral, identifier } from '../../io/sql.ts'
import type { Stamp } from '../../lake/batch.ts'
import type { LakeTable } from '../../lake/table-state.ts'
import type { WideFormat } from '../../project/source-contract.ts'
import { type Header, parseCsvRecord, readRecords } from './csv-records.ts'
import { divideLines, type FeedRows, type Place } from './divide-lines.ts'
import { type FeedFile, givenOf, unreadable, withGiven } from './format.ts'
import { MAX_LINE_BYTES } from './lines.ts'
import { readWhole } from './whole-file.ts'

/** Whether a CSV file with these titles is in the wide format of its feed. */
export function isWide(titles: readonly string[], { first, titles: others }: WideFormat): boolean {
  const [title = '', ...rest] = titles.map((each) => each.trim())
  return title === first.title && rest.some((each) => matches(each, others.pattern))
}

function matches(title: string, pattern: string): boolean {
  return new RegExp(`^(?:${pattern})$`).test(title)
}

/**
 * Reads a wide CSV file: each cell that holds a value becomes a row with the number of its line.
 * Blanks around titles and values are ignored. Throws `ContractError` (`FILE_UNREADABLE`) if two
 * columns have one title, or if a title is the value of a constant, because then the file is about
 * something else. Memory does not grow with the file.
 */
export async function readWide(
  batch: Stamp,
  table: LakeTable,
  { file, before, path, header, wide }: Place & { header: Header; wide: WideFormat },
): Promise<FeedRows> {
  const titles = header.fields.map((title) => title.trim())
  const columns = titles.flatMap((title, at) =>
    at > 0 && matches(title, wide.titles.pattern) ? [{ title, at }] : [],
  )
  checkTitles(
    file,
    columns.map(({ title }) => title),
    wide,
  )
  const cells = `${path}.cells`
  try {
    const { absent, isWhole } = await writeCells(cells, { file, header, titles, columns, wide })
    const names = table.columns.map(({ name }) => name)
    const from = `read_json(${duckLiteral(cells)}, format = 'newline_delimited', maximum_object_size = ${8 * MAX_LINE_BYTES},
      columns = {n: 'BIGINT', p: 'BIGINT', t: 'VARCHAR', fault: 'VARCHAR', v: 'VARCHAR[]'})`
    const written = filledColumns(wide)
    const some = names.map((name) => {
      const at = written.indexOf(name)
      const own = at === -1 ? undefined : `v[${at + 1}]`
      return `${withGiven(own, givenOf(file, name))} as ${identifier(name)}`
    })
    const place = { file, before, path: `${path}.parquet` }
    const rows =
      (isWhole
        ? await readWhole(batch, table, {
            source: `(select ${some.join(', ')} from ${from})`,
            ...place,
          })
        : undefined) ??
      (await divideLines(batch, table, {
        lines: `(select ${some.join(', ')}, n as _n, p as _at, t as _t, fault as _fault from ${from})`,
        areFields: true,
        at: '_at',
        ...place,
      }))
    const unknown = titles.filter(
      (title, at) => at > 0 && title !== '' && !columns.some((column) => column.at === at),
    )
    return { ...rows, unknown, absent }
  } finally {
    await rm(cells, { force: true })
  }
}

/** Throws if a title occurs twice or is the value of a constant. */
function checkTitles(file: FeedFile, titles: readonly string[], { constants }: WideFormat): void {
  const twice = titles.find((title, at) => titles.indexOf(title) !== at)
  if (twice !== undefined) throw unreadable(file, `it has two columns named ${twice}`)
  const own = titles.find((title) => Object.values(constants).includes(title))
  if (own !== undefined) {
    throw unreadable(
      file,
      `it has a column ${own}, so it cannot be the table about ${own} that this feed expects`,
    )
  }
}

/** The columns of the feed that a cell fills, in the order in which `writeCells` writes them. */
function filledColumns({ first, titles, cells, constants }: WideFormat): string[] {
  return [first.column, titles.column, cells.column, ...Object.keys(constants)]
}

/**
 * Writes a line of JSON for each cell with a value: `n` the line in the file, `p` the number of the
 * row, `t` its text, `v` the values of `columnsOf`. A line that cannot be read gets a `fault`
 * instead of `v`.
 */
async function writeCells(
  to: string,
  {
    file,
    header,
    titles,
    columns,
    wide,
  }: {
    file: FeedFile
    header: Header
    titles: readonly string[]
    columns: readonly { readonly title: string; readonly at: number }[]
    wide: WideFormat
  },
): Promise<{ absent: number; isWhole: boolean }> {
  const out = createWriteStream(to, { highWaterMark: 1 << 20 })
  const done = finished(out)
  // Awaited below. Until then, keep a disk error from becoming an unhandled rejection.
  done.catch(() => {})
  const constants = Object.values(wide.constants)
  const isAbsent = (cell: string): boolean => cell === '' || wide.cells.absent.includes(cell)
  const width = titles.findLastIndex((title) => title !== '') + 1
  let at = 0
  let absent = 0
  let isWhole = true
  for await (const { number: n, text, fault } of readRecords(file.path, header)) {
    if (fault === 'never_closed') {
      out.destroy()
      throw unreadable(file, 'a quote is never closed')
    }
    const fields = (fault === undefined ? parseCsvRecord(text) : undefined)?.map(
      (field) => field?.trim() ?? '',
    )
    const row = fields?.[0] ?? ''
    const isRecord =
      fields !== undefined && fields.length >= width && fields.slice(width).every(isAbsent)
    const reason = fault ?? (isRecord ? (row === '' ? 'key_missing' : undefined) : 'not_csv')
    let lines = ''
    if (fields === undefined || reason !== undefined) {
      isWhole = false
      lines = `${JSON.stringify({ n, p: (at += 1), t: text.slice(0, MAX_LINE_BYTES / 16), fault: reason })}\n`
    } else {
      for (const { title, at: place } of columns) {
        const cell = fields[place] ?? ''
        if (isAbsent(cell)) {
          absent += 1
          continue
        }
        const v = [row, title, cell, ...constants]
        lines += `${JSON.stringify({ n, p: (at += 1), t: `${row},${title},${cell}`, v })}\n`
      }
    }
    if (lines !== '' && !out.write(lines)) await Promise.race([once(out, 'drain'), done])
  }
  out.end()
  await done
  return { absent, isWhole }
}
