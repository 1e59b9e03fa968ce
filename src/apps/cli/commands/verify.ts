import { qualified } from '../../../platform/io/sql.ts'
import { verify, type VerifyReport } from '../../../platform/inspect/verify.ts'
import { checkScope } from '../../../platform/inspect/verify-scope.ts'
import { isDifferent, type VerifiedTable } from '../../../platform/inspect/verified-table.ts'
import { openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { formatCount, formatMoment, formatNumber, formatTable } from '../../format.ts'

/** `tidemark verify`: compares source, lake and warehouse at one snapshot, with every version. */
export async function verifyCommand(
  { output, config, given, signal }: CommandContext,
  { table: only }: { table: string | undefined },
): Promise<number> {
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: true,
    mustExist: true,
    signal,
    check: (project) => checkScope(project, { table: only }),
  })
  const report = await verify(environment.deps, { table: only })
  output.clear()
  output.conclude({ event: 'verified', ...report })
  output.print(
    `  at one snapshot of ${environment.deps.project.title}: ${formatMoment(report.snapshotAt)} UTC, batch ${report.batch}\n`,
  )
  const rows = report.tables.map((table) => [
    table.table,
    COMPARED[table.where],
    formatCount(table.rows),
    verdict(table),
  ])
  output.print(formatTable(['table', 'compared', 'rows', ''], rows).replaceAll(/^/gm, '  '))
  for (const { table, where, difference } of report.tables) {
    for (const { kind, key, columns } of difference.keys) {
      const which = columns.length > 0 ? `   ${columns.join(', ')}` : ''
      output.print(`  ${output.style('red', '✕')} ${where} ${table}   ${kind}   ${key}${which}`)
    }
  }
  for (const { place, batch, detail } of report.faults) {
    output.print(`  ${output.style('red', '✕')} ${place} batch ${batch}   ${detail}`)
  }
  const isCompared = report.tables.some(({ held }) => held === undefined)
  const statements = findRepair(report, environment.deps.warehouse.schema)
  output.print(
    report.isEqual
      ? `\n  ${isCompared ? output.style('green', '✓') : output.style('yellow', '!')} ${describeProof(report.tables)}`
      : `\n  ${output.style('red', '✕')} They differ. The lake is the record that counts: see "What verify compares" in docs/command-line.md`,
  )
  if (statements.length > 0) {
    output.advise(`  Next, in the warehouse: ${statements.join(' ')}   then: tidemark run`)
  }
  if (!report.isEqual) return EXIT.different
  return report.tables.some(({ held }) => held !== undefined) ? EXIT.held : EXIT.done
}

const COMPARED: Readonly<Record<VerifiedTable['where'], string>> = {
  lake: 'source = lake',
  warehouse: 'source = warehouse',
  history: 'lake = warehouse, all versions',
  sums: 'sums = current rows',
  revisions: 'revisions = versions',
}

/**
 * The statements after which the next run makes what differs again. None unless only sums and
 * revisions differ: then everything from which they are made is proven.
 */
export function findRepair(
  { tables, faults }: Pick<VerifyReport, 'tables' | 'faults'>,
  schema: string,
): string[] {
  const differing = tables.filter(isDifferent)
  const areAllKept = differing.every(({ where }) => where === 'sums' || where === 'revisions')
  if (faults.length > 0 || !areAllKept) return []
  return differing.map(({ table }) => `drop table ${qualified(schema, table)} cascade;`)
}

/**
 * What a verification without a difference proves: the places that were compared, and the held
 * tables and rows in quarantine that were left out.
 */
export function describeProof(tables: readonly VerifiedTable[]): string {
  const held = tables.filter((table) => table.held !== undefined).map(({ table }) => table)
  const places = new Set(tables.flatMap(({ where, held: why }) => (why === undefined ? where : [])))
  if (places.size === 0) return `no difference, but nothing was compared: held ${held.join(', ')}`
  const isWarehouse = places.has('warehouse') || places.has('history')
  const compared = [places.has('lake') ? 'source' : '', 'lake', isWarehouse ? 'warehouse' : '']
  const refused = tables
    .filter(({ quarantined }) => quarantined > 0)
    .map(({ table, quarantined }) => `${formatNumber(quarantined, 'row')} of ${table}`)
  const left = [
    held.length > 0 ? `held tables: ${held.join(', ')}` : '',
    refused.length > 0 ? `in quarantine: ${refused.join(', ')}` : '',
  ].filter((part) => part !== '')
  const except = left.length === 0 ? '' : `, except ${left.join('; ')}`
  return `${compared.filter((part) => part !== '').join(' = ')}, value for value${except}`
}

function verdict({ difference, quarantined, held }: VerifiedTable): string {
  if (held !== undefined) return `held: ${held}`
  const { missing, extra, different } = difference
  const found = [
    missing > 0 ? `${formatCount(missing)} missing` : '',
    extra > 0 ? `${formatCount(extra)} too many` : '',
    different > 0 ? `${formatCount(different)} different` : '',
    quarantined > 0 ? `${formatCount(quarantined)} in quarantine` : '',
  ].filter((part) => part !== '')
  return found.length === 0 ? '✓' : found.join(' · ')
}
