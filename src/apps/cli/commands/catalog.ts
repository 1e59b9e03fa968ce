import {
  type Catalog,
  type CatalogTable,
  readCatalog,
  type TableVersion,
} from '../../../platform/inspect/catalog.ts'
import { checkKnown, sourceTables } from '../../../platform/project/known-table.ts'
import type { ArchivedColumn } from '../../../platform/lake/schema.ts'
import {
  type ColumnDifference,
  isEmptyDifference,
} from '../../../platform/lake/schema-difference.ts'
import { openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { formatCount, formatMoment, formatNumber, formatTable } from '../../format.ts'
import type { Output } from '../output.ts'
import type { Feeds } from '../results.ts'

/**
 * `tidemark catalog [TABLE]`: lists the source tables and the star tables they feed. With a table:
 * its schema versions, how they differ, and the warehouse columns that each of its columns feeds.
 */
export async function catalogCommand(
  { output, config, given, signal }: CommandContext,
  { table: wanted }: { table: string | undefined },
): Promise<number> {
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    signal,
    check(project) {
      if (wanted !== undefined) checkKnown(wanted, sourceTables(project))
    },
  })
  const catalog = await readCatalog(environment.deps)
  const tables = catalog.tables
    .filter(({ table }) => wanted === undefined || table === wanted)
    .map((table) => ({ ...table, ...feedsOf(catalog, table) }))
  for (const table of tables) output.conclude({ event: 'catalog_table', ...table })
  if (wanted === undefined) output.conclude({ event: 'catalog_listed', tables: tables.length })
  if (wanted === undefined) printList(output, tables)
  else for (const table of tables) printTable(output, table, catalog)
  return EXIT.done
}

function feedsOf({ models }: Catalog, { table, versions }: CatalogTable): Feeds {
  const targets = models.flatMap((model) =>
    model.columns.map(({ column, from }) => ({ target: `${model.table}.${column}`, from })),
  )
  return {
    feeds: models.filter(({ reads }) => reads.includes(table)).map((model) => model.table),
    lineage: (versions.at(-1)?.columns ?? []).map(({ name }) => ({
      column: name,
      feeds: targets
        .filter(({ from }) =>
          from.columns.some((each) => each.table === table && each.column === name),
        )
        .map(({ target }) => target),
    })),
    inexact: [
      ...targets
        .filter(({ from }) => !from.exact && from.tables.includes(table))
        .map(({ target }) => target),
      ...models
        .filter(({ reads, columns }) => columns.length === 0 && reads.includes(table))
        .map((model) => `${model.table}.*`),
    ],
  }
}

function printList(output: Output, tables: readonly (CatalogTable & Feeds)[]): void {
  const rows = tables.map(({ table, versions, rows: count, feeds }) => {
    const newest = versions.at(-1)
    return [
      table,
      formatCount(versions.length),
      versions[0] === undefined ? 'not captured yet' : formatMoment(versions[0].takenAt),
      newest === undefined ? '' : formatCount(newest.columns.length),
      formatCount(count),
      feeds.join(', '),
    ]
  })
  const header = ['source table', 'versions', 'since (UTC)', 'columns', 'rows', 'feeds']
  output.print(indent(formatTable(header, rows)))
  output.advise('\n  One of them in full: tidemark catalog TABLE')
}

function printTable(output: Output, table: CatalogTable & Feeds, { models }: Catalog): void {
  const { versions, lineage, inexact, hold } = table
  const newest = versions.at(-1)
  const title = output.style('bold', table.table)
  const key = `key ${table.key.join(', ')}`
  if (newest === undefined) {
    output.advise(`  ${title}   ${key}   not captured yet   Next: tidemark run`)
  } else {
    const counts = [
      formatNumber(newest.columns.length, 'column'),
      formatNumber(table.rows, 'row'),
      formatNumber(versions.length, 'version'),
    ]
    output.print(`  ${[title, key, ...counts].join('   ')}\n`)
  }
  if (hold !== undefined) {
    output.print(
      `  ${output.style('red', '✕ held')} since ${formatMoment(hold.sinceAt)} UTC: ${hold.detail}`,
    )
  }
  for (const [index, version] of versions.entries()) {
    const head = `  v${index + 1}  ${formatMoment(version.takenAt)}  batch ${version.firstBatch}   `
    output.print(head + describeVersion(version).join('\n      '))
  }
  const width = Math.max(0, ...lineage.map(({ column }) => column.length))
  const lines = lineage.map(({ column, feeds }) => {
    const from = `${table.table}.${column}`.padEnd(table.table.length + 1 + width)
    return `  ${from} → ${feeds.length === 0 ? '–' : abridge(feeds, models).join(', ')}`
  })
  if (lines.length > 0) {
    output.print(`\n${lines.join('\n')}`)
    output.print(
      '\n  → the warehouse columns computed from it; – none: it only joins, filters, or stays in the lake.',
    )
  }
  if (inexact.length > 0) {
    output.print(
      `  These read ${table.table} too, but it cannot be told from which of its columns: ${inexact.join(', ')}`,
    )
  }
}

/** Writes `table.*` if all of several columns of a star table are fed, as in a calendar. */
function abridge(feeds: readonly string[], models: Catalog['models']): string[] {
  const whole = new Map<string, string>()
  for (const { table, columns } of models) {
    const targets = columns.map(({ column }) => `${table}.${column}`)
    if (targets.length < 2 || !targets.every((target) => feeds.includes(target))) continue
    for (const target of targets) whole.set(target, `${table}.*`)
  }
  return [...new Set(feeds.map((target) => whole.get(target) ?? target))]
}

/** One line for each difference. */
function describeVersion({ columns, difference }: TableVersion): string[] {
  if (difference === undefined) {
    return [`first captured, with ${formatNumber(columns.length, 'column')}`]
  }
  if (isEmptyDifference(difference)) {
    return ['no column differs: the table or its partitions were recreated']
  }
  const { added, removed, changed, reordered, key } = difference
  return [
    ...added.map((column) => `+ ${describeColumn(column)}`),
    ...removed.map((column) => `- ${describeColumn(column)}`),
    ...changed.map((column) => `~ ${column.column}: ${describeChange(column).join(' · ')}`),
    ...(reordered ? ['columns are in another order'] : []),
    ...(key ? [`key ${key.before.join(', ')} → ${key.after.join(', ')}`] : []),
  ]
}

function describeColumn(column: ArchivedColumn): string {
  const { name, type, nullable, generated, default: expression } = column
  const value = expression ?? undefined
  const made = generated === true ? `generated as ${value}` : `default ${value}`
  const words = [name, type, nullable ? '' : 'not null', value === undefined ? '' : made]
  return words.filter(Boolean).join(' ')
}

function describeChange(column: ColumnDifference): string[] {
  const { type, nullable, generated, labels, default: expression } = column
  const quoted = (names: readonly string[]) => names.map((name) => `'${name}'`).join(', ')
  return [
    type && `${type.before} → ${type.after}`,
    nullable && (nullable.after ? 'may now be null' : 'now not null'),
    generated && (generated.after ? 'now generated' : 'no longer generated'),
    expression && `default ${expression.before ?? 'none'} → ${expression.after ?? 'none'}`,
    labels && labels.added.length > 0 && `labels added ${quoted(labels.added)}`,
    labels && labels.removed.length > 0 && `labels removed ${quoted(labels.removed)}`,
    labels?.reordered && 'labels in another order',
  ].filter((part) => typeof part === 'string')
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ')
}
