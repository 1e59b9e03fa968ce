import { withPostgresErrors } from '../io/postgres-errors.ts'
import type { Fact } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { inSnapshot, type WarehouseClient } from '../warehouse/warehouse.ts'
import type { FactVersion } from './history.ts'
import { bindStatement, readQuestions } from './question.ts'
import { namedRecord } from '../project/named-record.ts'

/** The question that names things: `dimension`, `id`, `name`, `leads_to`, for the filter `ids`. */
export const NAMES_QUESTION = 'order_names'

/** A thing that a fact refers to by number: its present name, and its page if it has one. */
export interface NamedThing {
  readonly name: string
  readonly href: string | undefined
}

/** The things, by the column of the fact and the number in it. */
export type Names = ReadonlyMap<string, ReadonlyMap<string, NamedThing>>

/** The things that versions of a fact refer to by number. */
export interface NamedThings {
  /** Columns that refer to a dimension with one key column, and that dimension. */
  readonly references: readonly { readonly column: string; readonly dimension: string }[]
  /** The value of the filter `ids`: the numbers by dimension, as JSON. */
  readonly ids: string
}

/** Which names to ask for. Undefined if the fact refers to nothing that has a name. */
export function namedThings(
  { models }: Project,
  { fact, versions }: { fact: Fact; versions: readonly FactVersion[] },
): NamedThings | undefined {
  const references = fact.references.flatMap(({ columns: [column, ...more], dimension }) => {
    const isNamed = models.some(({ table, kind }) => table === dimension && kind === 'dimension')
    return column !== undefined && more.length === 0 && isNamed ? [{ column, dimension }] : []
  })
  if (references.length === 0) return undefined
  const ids = namedRecord<string[]>()
  for (const { column, dimension } of references) {
    const own = versions.flatMap(({ values }) => values[column] ?? [])
    ids[dimension] = [...new Set([...(ids[dimension] ?? []), ...own])].toSorted()
  }
  return { references, ids: JSON.stringify(ids) }
}

/** Groups the rows of the answer by column. */
export function namesByColumn(
  { references }: NamedThings,
  rows: readonly (readonly (string | null | undefined)[])[],
): Names {
  return new Map(
    references.map(({ column, dimension }) => [
      column,
      new Map(
        rows
          .filter(([table]) => table === dimension)
          .map(([, id, name, href]) => [id ?? '', { name: name ?? '', href: href ?? undefined }]),
      ),
    ]),
  )
}

/**
 * Reads the names of the things that the versions refer to. None if the project has no question
 * `order_names`. Throws what reading throws.
 */
export async function readNamesInUse(
  connection: WarehouseClient,
  { project, ...told }: { project: Project; fact: Fact; versions: readonly FactVersion[] },
): Promise<Names> {
  const folders = project.presentation?.questions ?? []
  const question = folders.flatMap((folder) => readQuestions(folder).get(NAMES_QUESTION) ?? [])[0]
  const things = namedThings(project, told)
  if (question === undefined || things === undefined) return new Map()
  const { text, values } = bindStatement(question.sql, { ids: things.ids })
  const { rows } = await withPostgresErrors(connection.warehouse, () =>
    inSnapshot(connection, () =>
      connection.client.query<(string | number | null)[]>({
        text,
        values: [...values],
        rowMode: 'array',
      }),
    ),
  )
  return namesByColumn(
    things,
    rows.map((row) => row.map((value) => (value === null ? null : String(value)))),
  )
}
