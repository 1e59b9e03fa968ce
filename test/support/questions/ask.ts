import { readFileSync } from 'node:fs'
import pg from 'pg'
import type { AnsweredRow } from './lake.ts'

const FOLDER = new URL('../../../src/totesys/presentation/', import.meta.url)
const PAGES = new URL('pages/', FOLDER)

/** What the header of a question says. */
export interface Header {
  readonly name: string
  readonly question: string
  readonly grain: string
  readonly unit: string
  readonly filters: readonly string[]
}

/** The file of a question. */
export function textOf(name: string): string {
  const folder = /^(overview|options|order)_/.test(name) ? PAGES : FOLDER
  return readFileSync(new URL(`${name}.sql`, folder), 'utf8')
}

/** The header of a question, read without the platform's own parser. */
export function headerOf(name: string): Header {
  const [first = '', ...rest] = textOf(name).split('\n')
  const value = (key: string): string =>
    rest.find((line) => line.startsWith(`-- ${key}: `))?.slice(key.length + 5) ?? ''
  const [, title = '', question = ''] = /^-- (\w+): (.+\?)$/.exec(first) ?? []
  const filters = value('Filters').split(', ')
  return { name: title, question, grain: value('Grain'), unit: value('Unit'), filters }
}

/** Answers a question in the warehouse, every value as Postgres prints it. */
export async function ask(
  client: pg.Client,
  name: string,
  filters: Record<string, string> = {},
): Promise<AnsweredRow[]> {
  const values: (string | null)[] = []
  const text = asOf(textOf(name), filters).replaceAll(/:'(\w+)'/g, (_, filter: string) => {
    values.push(filters[filter] ?? null)
    return `$${values.length}`
  })
  return await readRows(client, { text, values })
}

/** Answers a question as psql does: every filter is a literal, empty if it is not given. */
export async function askByHand(
  client: pg.Client,
  name: string,
  filters: Record<string, string>,
): Promise<AnsweredRow[]> {
  const text = textOf(name).replaceAll(/:'(\w+)'/g, (_, filter: string) =>
    pg.escapeLiteral(filters[filter] ?? ''),
  )
  return await readRows(client, { text })
}

/** The same statement as of a moment, if the filters name one. */
export function asOf(text: string, filters: Record<string, string>): string {
  if ((filters['as_of'] ?? '') === '') return text
  return text.replaceAll(/\bfact_(\w+?)_current\b/g, `fact_$1_as_of(:'as_of'::timestamptz)`)
}

/** The id of `bool` in `pg_type`. */
const BOOLEAN = 16

/** Rows of a statement, every value as Postgres prints it and booleans in words. */
export async function readRows(client: pg.Client, query: pg.QueryConfig): Promise<AnsweredRow[]> {
  const isBoolean = (oid: number): boolean => oid === BOOLEAN
  const getTypeParser = (oid: number) => (value: string) =>
    isBoolean(oid) ? String(value === 't') : value
  const types: pg.CustomTypesConfig = { getTypeParser }
  return (await client.query<AnsweredRow>({ ...query, types })).rows
}
