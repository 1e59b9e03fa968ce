import { ContractError } from '../errors.ts'
import type { Client } from '../io/postgres.ts'
import { asciiLiteral, textArray } from '../io/session.ts'
import { identifier, qualified } from '../io/sql.ts'
import { currentTable } from '../project/fact-names.ts'
import { type Fact, revisionsName } from '../project/model.ts'
import { beforeName } from './revisions.ts'
import { sumsTablesOf } from './sums.ts'

/**
 * Select of the columns `name` of tables `table_name` that must have a value and that no load fills,
 * because somebody else added them: of current rows, sums and revisions. Of the versions, only the
 * change files say what a load fills (`planCopy`).
 */
export function selectUnfilled(facts: readonly Fact[]): string {
  const tables = facts.flatMap((fact) => [
    { fact, name: currentTable(fact), own: [] },
    ...sumsTablesOf(fact).map(({ name, by, added }) => ({ fact, name, own: [...by, ...added] })),
    ...(fact.sums === undefined ? [] : [{ fact, name: revisionsName(fact), own: [] }]),
  ])
  const before = asciiLiteral(beforeName(''))
  return `
      select k.name as table_name, a.attname::text as name
      from unnest(
          ${textArray(tables.map(({ name }) => name))},
          ${textArray(tables.map(({ fact }) => fact.table))},
          ${textArray(tables.map(({ own }) => JSON.stringify(own)))}
      ) as k (name, fact, own)
      inner join pg_attribute as a on a.attrelid = to_regclass(quote_ident(k.name))
      where a.attnum > 0 and not a.attisdropped
          and a.attnotnull and not a.atthasdef and a.attidentity = ''
          and case
              when k.own <> '[]' then not k.own::jsonb ? a.attname::text
              else not exists (
                  select 1 from pg_attribute as f
                  where f.attrelid = to_regclass(quote_ident(k.fact))
                      and f.attnum > 0 and not f.attisdropped
                      and a.attname in (f.attname, (${before} || f.attname)::name)
              )
          end`
}

/**
 * Throws `ContractError` (`WAREHOUSE_CHANGED`) if a load could not add a row to one of these facts'
 * tables, because of a column that must have a value. Call it after the tables are made.
 */
export async function checkFilled(
  client: Client,
  facts: readonly Fact[],
  { schema }: { schema: string },
): Promise<void> {
  const { rows } = await client.query<{ table_name: string; name: string }>(selectUnfilled(facts))
  const [found] = rows
  if (found !== undefined) throw unfilled({ schema, table: found.table_name, column: found.name })
}

/** The error for a column that must have a value and that no load fills. */
export function unfilled({
  schema,
  table,
  column,
}: {
  schema: string
  table: string
  column: string
}): ContractError {
  return new ContractError(
    `The warehouse table ${table} has a new column ${column} that must not be null`,
    {
      code: 'WAREHOUSE_CHANGED',
      hint: `nothing was changed; alter table ${qualified(schema, table)} alter column ${identifier(column)} drop not null;`,
    },
  )
}
