import { shortName } from '../../platform/project/names.ts'
import type { ChosenTable } from './choose-tables.ts'
import { linkTables } from './find-facts.ts'
import { createNamer } from './model-sql.ts'
import { proposeCalendar } from './propose-calendar.ts'
import { proposeDimension } from './propose-dimension.ts'
import { proposeFact } from './propose-fact.ts'
import type { ProposedModel } from './proposed-model.ts'

/**
 * Proposes a star schema: a fact for each table of events, a dimension for each other table that a fact
 * refers to, with the columns of the tables that it leads to, and a calendar if a fact has a date. Empty
 * if there is no fact. Pure.
 */
export function proposeStar(chosen: readonly ChosenTable[]): ProposedModel[] {
  const schema = linkTables(chosen)
  const facts = schema.tables.filter(schema.isFact)
  const dimensions = schema.tables.filter(
    (table) =>
      !schema.isFact(table) &&
      facts.some((fact) => schema.links(fact).some(({ to }) => to === table)),
  )
  const { names, calendar } = nameModels(chosen, { facts, dimensions })
  const made = facts.map((fact) =>
    proposeFact(fact, { links: schema.links(fact), names, calendar }),
  )
  return [
    ...dimensions.map((table) => proposeDimension(table, { schema, names })),
    ...made.map(({ model }) => model),
    ...(made.some(({ hasDates }) => hasDates) ? [proposeCalendar(calendar)] : []),
  ]
}

/** The names of the models by their tables. They differ from the names of all tables in the lake. */
function nameModels(
  chosen: readonly ChosenTable[],
  { facts, dimensions }: { facts: readonly ChosenTable[]; dimensions: readonly ChosenTable[] },
): { names: Map<ChosenTable, string>; calendar: string } {
  const namer = createNamer(chosen.map(({ table }) => table.name))
  const calendar = namer('dim_date')
  const names = new Map(dimensions.map((table) => [table, namer(`dim_${slug(table)}`)]))
  // A name comes before the longer ones that its relations may take.
  for (const table of facts.toSorted((a, b) => (slug(a) < slug(b) ? -1 : 1))) {
    const name = namer(`fact_${slug(table)}`)
    names.set(table, name)
    for (const suffix of ['_current', '_history', '_as_of', '_as_of_batch']) {
      namer(shortName(name, suffix))
    }
  }
  return { names, calendar }
}

/** A table's name as a part of the name of a model and its file: `Order Line` is `order_line`. */
function slug({ table }: ChosenTable): string {
  const words = table.name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '_')
  return words.replaceAll(/^_+|_+$/g, '') || 'table'
}
