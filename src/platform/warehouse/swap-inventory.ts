import type { Client } from '../io/postgres.ts'
import { identifier } from '../io/sql.ts'
import type { PublishedSchema } from '../lake/published-schema.ts'
import {
  asOfBatchFunction,
  asOfFunction,
  currentTable,
  historyView,
} from '../project/fact-names.ts'
import { type Fact, sumsView } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import {
  type Belonging,
  describeBelonging,
  missingIn,
  type Named,
  readBelongings,
  readDefined,
} from './belongings.ts'
import { presentModels } from './derive-tables.ts'
import { factOf } from './drop-history.ts'
import { listSums } from './make-sums.ts'
import { OWN } from './relations.ts'

/** What of a schema is the content that is loaded from the lake, with what belongs to it. */
export interface Inventory extends Named {
  readonly schema: string
  /** The tables that models fill, without those that belong to facts. */
  readonly tables: readonly string[]
  readonly facts: readonly Fact[]
  /** The views of facts, which a load makes again at any time. */
  readonly factViews: ReadonlySet<string>
  /** The tables and views of sums by their fact. */
  readonly sums: ReadonlyMap<string, readonly string[]>
  /** What the project's migrations made of the tables: other views, and functions. */
  readonly views: readonly string[]
  readonly routines: readonly string[]
  /** The definitions of derived tables by name. */
  readonly definitions: ReadonlyMap<string, PublishedSchema>
}

/**
 * The content of a schema: its tables that models of the project fill, or that are named in `others`, and
 * what belongs to them. Of the views and functions that migrations made, only those in `made`, or else
 * all. Sets the search path to `schema`.
 */
export async function takeInventory(
  client: Client,
  schema: string,
  {
    project,
    others = [],
    made,
  }: {
    project: Project
    others?: Iterable<string>
    made?: Pick<Inventory, 'views' | 'routines'>
  },
): Promise<Inventory> {
  await client.query(`set local search_path = ${identifier(schema)}`)
  const filled = new Set([...project.models.map(({ table }) => table), ...others])
  const found = await client.query<{ definition: PublishedSchema }>(
    'select definition from tidemark_table where to_regclass(quote_ident(name)) is not null',
  )
  const definitions = new Map(
    found.rows.flatMap(({ definition }) =>
      filled.has(definition.table) ? [[definition.table, definition] as const] : [],
    ),
  )
  const facts = new Map<string, Fact>()
  const tables = new Set(definitions.keys())
  for (const model of await presentModels(client, project)) {
    tables.add(model.table)
    if (model.kind === 'fact') facts.set(model.table, model)
  }
  for (const definition of definitions.values()) {
    const fact = factOf(definition)
    if (fact !== undefined && !facts.has(fact.table)) facts.set(fact.table, fact)
  }
  const sums = new Map<string, readonly string[]>()
  for (const fact of facts.values()) sums.set(fact.table, await listSums(client, fact))
  const all = [...facts.values()]
  const factViews = new Set(all.flatMap((fact) => [historyView(fact), sumsView(fact)]))
  const ownRoutines = all.flatMap((fact) => [
    asOfFunction(fact),
    asOfBatchFunction(fact),
    `${fact.table}_sums_as_of`,
  ])
  const { views, routines } = made ?? (await findMade(client, { factViews, ownRoutines }))
  return {
    schema,
    tables: [...tables],
    facts: all,
    factViews,
    sums,
    views,
    routines,
    definitions,
    relations: [
      ...tables,
      ...all.map(currentTable),
      ...[...sums.values()].flat(),
      ...factViews,
      ...views,
    ],
    functions: [...ownRoutines, ...routines],
  }
}

/** The views and functions that the project's migrations made in a schema with nothing else in it. */
async function findMade(
  client: Client,
  { factViews, ownRoutines }: { factViews: Iterable<string>; ownRoutines: readonly string[] },
): Promise<Pick<Inventory, 'views' | 'routines'>> {
  const views = await client.query<{ name: string }>(
    `select relname::text as name from pg_class
     where relnamespace = to_regnamespace(quote_ident(current_schema())) and relkind = 'v'
         and relname <> all ($1::text[])`,
    [[...OWN, ...factViews]],
  )
  const routines = await client.query<{ name: string }>(
    `select distinct proname::text as name from pg_proc
     where pronamespace = to_regnamespace(quote_ident(current_schema())) and prokind in ('f', 'p')
         and proname <> all ($1::text[])`,
    [[COMPLETE_BEFORE, ...ownRoutines]],
  )
  return {
    views: views.rows.map(({ name }) => name),
    routines: routines.rows.map(({ name }) => name),
  }
}

/** The platform's own function, which stays with the ledger. */
const COMPLETE_BEFORE = 'tidemark_complete_before'

/**
 * Why the content `old` cannot give way to `next` without losing something that people have made: at
 * most a few things, in words. Empty if nothing would be lost. In doubt, something would be. Sets the
 * search path. Call it in a transaction.
 */
export async function findLosses(
  client: Client,
  { old, next, retired }: { old: Inventory; next: Inventory; retired: readonly string[] },
): Promise<string[]> {
  const had = await readBelongings(client, old.schema, old)
  const gets = await readBelongings(client, next.schema, next)
  const isRemade = remadeIn(old, next, { had, gets })
  const isNotNeeded = (each: Belonging): boolean =>
    isRemade(each) || (each.kind === 'use' && retired.map(identifierOf).includes(each.name))
  let lost = missingIn(had, gets).filter((each) => !isNotNeeded(each))
  if (lost.length > 0 && old.definitions.size > 0) {
    lost = missingIn(lost, await readDefined(client, [...old.definitions.values()]))
  }
  const shown = lost.slice(0, SHOWN_LOSSES).map(describeBelonging)
  return lost.length > SHOWN_LOSSES ? [...shown, `${lost.length - SHOWN_LOSSES} more`] : shown
}

const SHOWN_LOSSES = 3

/** As Postgres prints a table of the search path. */
function identifierOf(name: string): string {
  return /^[a-z_][a-z0-9_$]*$/.test(name) ? name : identifier(name)
}

/** The kinds that a load makes again whenever the declaration of a fact or of its sums changes. */
const OF_DECLARATION: ReadonlySet<string> = new Set([
  'table',
  'comment',
  'column',
  'index',
  'constraint',
  'select',
  'body',
])

/** Whether a thing is Tidemark's own, and made anew because a fact or its sums are declared anew. */
function remadeIn(
  old: Inventory,
  next: Inventory,
  { had, gets }: { had: readonly Belonging[]; gets: readonly Belonging[] },
): (each: Belonging) => boolean {
  const commentOf = (all: readonly Belonging[], relation: string) =>
    all.find((each) => each.kind === 'comment' && each.relation === relation)?.definition
  const made = new Set(old.routines)
  const remade = new Set(old.factViews)
  for (const name of old.functions) if (!made.has(name)) remade.add(name)
  for (const [fact, names] of old.sums) {
    const isChanged = definitionOf(old, fact) !== definitionOf(next, fact)
    for (const name of names) {
      if (isChanged || commentOf(had, name) !== commentOf(gets, name)) remade.add(name)
    }
  }
  return ({ relation, kind }) => remade.has(relation) && OF_DECLARATION.has(kind)
}

function definitionOf({ definitions }: Inventory, table: string): string {
  return JSON.stringify(definitions.get(table) ?? null)
}
