import { readModel } from '../project/generation.ts'
import type { Model } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { capturedTables, CHANGE_COLUMNS } from '../project/source-contract.ts'
import { type Parser, parseSelect } from '../transform/lineage/parsed-select.ts'
import {
  type ColumnSource,
  combine,
  followSelect,
  NOTHING,
  traced,
  type TracedRelation,
  type TracedRelations,
} from '../transform/lineage/select-lineage.ts'

/** The source tables and columns from which a model's columns are computed. */
export interface ModelLineage {
  readonly table: string
  /** The source tables that the model reads, including tables that only join or filter. */
  readonly reads: readonly string[]
  /** The model's own columns; none if its final select could not be followed. */
  readonly columns: readonly { readonly column: string; readonly from: ColumnSource }[]
}

/** The columns of each source table. A table whose columns are not known yet is missing. */
export type KnownColumns = ReadonlyMap<string, readonly string[]>

/**
 * The source columns from which each warehouse column is computed. DuckDB's own parser reads the
 * models, through CTEs, subqueries, joins, stars and unions. Conditions of joins and filters are
 * left out: they decide which rows exist, not which values they hold. Columns that the platform
 * adds are left out too: record ids, history columns, inferred dimension rows. The calendar is
 * followed through the facts that name its days.
 *
 * Nothing is guessed: an expression with a subquery, a lambda, `count(*)`, or a name that cannot be
 * traced gives the tables that its select reads, with `exact` false. Runs no model. Never throws
 * for a model that cannot be followed.
 */
export async function readLineage(
  parser: Parser,
  project: Project,
  known: KnownColumns,
): Promise<ModelLineage[]> {
  const found = new Map<Model, ModelLineage>()
  const follow = async (model: Model): Promise<void> => {
    const { node } = await parseSelect(parser, readModel(model))
    const days = combine(model.kind === 'calendar' ? daysNamed(model, found) : [])
    const sources = relationsFor(model, { project, known, days })
    const select = followSelect(node, sources)
    const isPassed = (name: string) => model.kind === 'fact' && CHANGE_COLUMNS.has(name)
    found.set(model, {
      table: model.table,
      reads: select.tables,
      columns: [...select.columns.values()].filter(({ column }) => !isPassed(column)),
    })
  }
  for (const model of project.models) if (model.kind !== 'calendar') await follow(model)
  for (const model of project.models) if (model.kind === 'calendar') await follow(model)
  return project.models.flatMap((model) => found.get(model) ?? [])
}

/**
 * The relations that a model can name: the source tables, its change view, the days of a calendar.
 */
function relationsFor(
  model: Model,
  { project, known, days }: { project: Project; known: KnownColumns; days: ColumnSource },
): TracedRelations {
  const relations: TracedRelation[] = capturedTables(project.source).map(({ name: table }) => {
    const columns = (known.get(table) ?? []).map((column) => ({
      column,
      from: { exact: true, columns: [{ table, column }], tables: [table] },
    }))
    return traced(table, { columns, isClosed: known.has(table), tables: [table] })
  })
  if (model.kind === 'fact') {
    const own = relations.find(({ name }) => name === model.from.toLowerCase())
    const passed = [...CHANGE_COLUMNS].map((column) => ({ column, from: NOTHING }))
    if (own !== undefined) {
      const columns = [...own.columns.values(), ...passed]
      relations.push(traced(`change_${model.from}`, { ...own, columns }))
    }
  }
  if (model.kind === 'calendar') {
    const columns = [{ column: 'date_id', from: days }]
    relations.push(traced('named_date', { columns, isClosed: true, tables: days.tables }))
  }
  return new Map(relations.map((each) => [each.name, each]))
}

/** The sources of the facts' columns that name the calendar's days. */
function daysNamed(calendar: Model, found: ReadonlyMap<Model, ModelLineage>): ColumnSource[] {
  return [...found].flatMap(([model, lineage]) =>
    model.kind !== 'fact'
      ? []
      : model.references
          .filter(({ dimension }) => dimension === calendar.table)
          .map(({ columns: [day] }) => {
            const column = lineage.columns.find((each) => each.column === day)
            return column?.from ?? { exact: false, columns: [], tables: lineage.reads }
          }),
  )
}
