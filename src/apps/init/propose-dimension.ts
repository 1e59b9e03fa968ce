import type { CatalogueColumn } from '../../platform/project/catalogue-table.ts'
import type { ChosenTable } from './choose-tables.ts'
import { isBookkeeping, type TableLink, type LinkedTables } from './find-facts.ts'
import { createNamer, modelHeader, modelName, type ModelColumn, selectList } from './model-sql.ts'
import { describeModel, type ProposedModel } from './proposed-model.ts'

/** How many foreign keys away the columns of a dimension may come from. */
const MOST_JOINS = 3

/** A table that a dimension joins, and the columns that lead to it. */
interface Join {
  readonly from: ChosenTable
  readonly link: TableLink
}

interface DimensionColumn extends ModelColumn {
  readonly isNullable: boolean
  readonly comment: string | undefined
}

/**
 * Proposes the dimension of a table: its columns, and those of the tables that its foreign keys lead to.
 * Each join follows the key of the other table, so it adds columns and no row. It is a left join, so it
 * loses none.
 */
export function proposeDimension(
  chosen: ChosenTable,
  { schema, names }: { schema: LinkedTables; names: ReadonlyMap<ChosenTable, string> },
): ProposedModel {
  const { table, found } = chosen
  const name = names.get(chosen) ?? ''
  const joins = findJoins(chosen, schema)
  const columns = dimensionColumns(chosen, joins)
  const nullable = columns.filter(({ isNullable }) => isNullable).map((column) => column.name)
  const reads = [table.name, ...joins.map(({ link }) => link.to.table.name)]
  return {
    name,
    reads,
    config: {
      key: table.key.length === 1 ? (table.key[0] ?? '') : table.key,
      ...describeModel(table, columns),
      ...(nullable.length > 0 && { nullable }),
    },
    sql: [
      modelHeader(name, {
        says: found.comment ?? `the rows of ${table.name} that facts refer to.`,
        grain: `one row per ${table.name} (${table.key.join(', ')}).`,
        sources: reads,
        history: 'none; a row is replaced when one of its sources changes.',
      }),
      'select',
      selectList(columns),
      `from ${modelName(table.name)}`,
      ...joins.map(joinSql),
      '',
    ].join('\n'),
  }
}

/**
 * The tables to join, the nearest first, each once. A table to which several foreign keys lead, a fact
 * and the table itself are not joined: their keys stay as they are.
 */
function findJoins(chosen: ChosenTable, schema: LinkedTables): Join[] {
  const joins: Join[] = []
  const seen = new Set([chosen])
  let level = [chosen]
  for (let depth = 0; depth < MOST_JOINS; depth++) {
    const next: ChosenTable[] = []
    for (const from of level) {
      const links = schema.links(from)
      for (const link of links) {
        const isSingle = links.filter(({ to }) => to === link.to).length === 1
        if (!isSingle || seen.has(link.to) || schema.isFact(link.to)) continue
        seen.add(link.to)
        joins.push({ from, link })
        next.push(link.to)
      }
    }
    level = next
  }
  return joins
}

function dimensionColumns(
  { table, columns }: ChosenTable,
  joins: readonly Join[],
): DimensionColumn[] {
  const namer = createNamer()
  const own = columns.map((column): DimensionColumn => {
    return {
      name: namer(column.name),
      sql: `${modelName(table.name)}.${modelName(column.name)}`,
      isNullable: !table.key.includes(column.name) && (column.nullable || !isText(column)),
      comment: column.comment,
    }
  })
  const taken = new Set(own.map(({ name }) => name.toLowerCase()))
  const joined = joins.flatMap(({ link: { to } }) =>
    to.columns
      // The key of the joined table is in the columns that lead to it already.
      .filter((column) => !to.table.key.includes(column.name) && !isBookkeeping(column))
      .map((column): DimensionColumn => {
        const isTaken = taken.has(column.name.toLowerCase())
        const name = namer(isTaken ? `${to.table.name}_${column.name}` : column.name)
        taken.add(name.toLowerCase())
        return {
          name,
          sql: `${modelName(to.table.name)}.${modelName(column.name)}`,
          isNullable: true,
          comment: column.comment,
        }
      }),
  )
  return [...own, ...joined]
}

/** Whether an inferred row can say `Unknown` in the column. Others must be nullable. */
function isText({ baseType, isEnum }: CatalogueColumn): boolean {
  return isEnum || /^(text|character varying(\(\d+\))?)$/.test(baseType)
}

function joinSql({ from, link: { columns, to } }: Join): string {
  const other = modelName(to.table.name)
  const on = columns.map(
    (column, at) =>
      `${other}.${modelName(to.table.key[at] ?? '')} = ${modelName(from.table.name)}.${modelName(column)}`,
  )
  return `left join ${other}\n    on ${on.join('\n    and ')}`
}
