import { verify, type VerifyReport } from '../../../platform/inspect/verify.ts'
import { checkScope } from '../../../platform/inspect/verify-scope.ts'
import type { VerifiedTable } from '../../../platform/inspect/verified-table.ts'
import type { Difference } from '../../../platform/lake/difference.ts'
import { repair, type RepairReport } from '../../../platform/repair.ts'
import { openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import type { Output } from '../output.ts'
import { formatCount, formatMoment, formatNumber, formatTable } from '../../format.ts'

/**
 * `tidemark verify`: compares source, lake and warehouse at one snapshot, with every version. With
 * `--repair`, repairs what differs.
 */
export async function verifyCommand(
  { output, config, given, signal }: CommandContext,
  { table: only, repair: isRepair }: { table: string | undefined; repair: boolean },
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
  const { deps } = environment
  const repaired = isRepair ? await repair(deps, { table: only }) : undefined
  const report = repaired?.found ?? (await verify(deps, { table: only }))
  output.clear()
  const { found: _, ...done } = repaired ?? {}
  output.conclude({ event: 'verified', ...report, ...(isDone(done) && { repair: done }) })
  printReport(output, report, deps.project.title)
  if (isDone(done) && !isNothing(report, done)) {
    printRepair(output, done)
    return EXIT.different
  }
  const isCompared = report.tables.some(({ held }) => held === undefined)
  output.print(
    report.isEqual
      ? `\n  ${isCompared ? output.style('green', '✓') : output.style('yellow', '!')} ${describeProof(report.tables)}`
      : `\n  ${output.style('red', '✕')} They differ. The lake is the record that counts: see "What verify compares" in docs/command-line.md`,
  )
  if (!report.isEqual) {
    output.advise(`  Next: tidemark verify${only === undefined ? '' : ` ${only}`} --repair`)
    return EXIT.different
  }
  return report.tables.some(({ held }) => held !== undefined) ? EXIT.held : EXIT.done
}

/** What a repair did, without what it found. */
type Done = Omit<RepairReport, 'found'>

function isDone(done: Partial<Done>): done is Done {
  return done.corrections !== undefined
}

/** Whether a repair found nothing, not even while it made the warehouse fit to be verified. */
function isNothing({ isEqual }: VerifyReport, { corrections }: Done): boolean {
  return isEqual && corrections.length === 0
}

function printReport(output: Output, report: VerifyReport, title: string): void {
  output.print(
    `  at one snapshot of ${title}: ${formatMoment(report.snapshotAt)} UTC, batch ${report.batch}\n`,
  )
  const rows = report.tables.map((table) => [
    table.table,
    COMPARED[table.where],
    formatCount(table.rows),
    verdict(table),
  ])
  output.print(formatTable(['table', 'compared', 'rows', ''], rows).replaceAll(/^/gm, '  '))
  for (const { table, where, difference } of report.tables) {
    printKeys(output, `${where} ${table}`, difference)
  }
  for (const { place, batch, detail } of report.faults) {
    output.print(`  ${output.style('red', '✕')} ${place} batch ${batch}   ${detail}`)
  }
}

function printKeys(output: Output, where: string, { keys }: Difference): void {
  for (const { kind, key, columns } of keys) {
    const which = columns.length > 0 ? `   ${columns.join(', ')}` : ''
    output.print(`  ${output.style('red', '✕')} ${where}   ${kind}   ${key}${which}`)
  }
}

function printRepair(
  output: Output,
  { corrections, recaptured, batch, edition, left }: Done,
): void {
  if (corrections.length > 0) output.print('\n  corrected in the warehouse:')
  for (const { table, difference, left: kept } of corrections) {
    const said = describeCorrection({ ...difference, extra: difference.extra - kept })
    output.print(`  ${output.style('green', '✓')} ${table}   ${said}`)
    printKeys(output, table, difference)
  }
  if (recaptured.length > 0) {
    const where = batch === undefined ? 'and nothing was new' : `new versions are in batch ${batch}`
    output.print(`\n  captured again: ${recaptured.join(', ')}; ${where}`)
  }
  if (edition !== undefined) {
    output.print(`\n  made again: the processed zone, as edition ${edition}`)
  }
  if (left.length === 0) {
    output.print(`\n  ${output.style('green', '✓')} Repaired. Verified again: no difference`)
    return
  }
  output.print(`\n  ${output.style('red', '✕')} Not everything could be repaired:`)
  for (const { what, next } of left) {
    output.print(`  ${output.style('red', '✕')} ${what}`)
    output.advise(`    Next: ${next}`)
  }
}

/** What was done to the rows of a table. */
export function describeCorrection({ missing, extra, different }: Difference): string {
  return [
    different > 0 ? `${formatNumber(different, 'row')} set` : '',
    missing > 0 ? `${formatNumber(missing, 'row')} added` : '',
    extra > 0 ? `${formatNumber(extra, 'row')} removed` : '',
  ]
    .filter((part) => part !== '')
    .join(' · ')
}

const COMPARED: Readonly<Record<VerifiedTable['where'], string>> = {
  lake: 'source = lake',
  warehouse: 'source = warehouse',
  history: 'lake = warehouse, all versions',
  sums: 'sums = current rows',
  revisions: 'revisions = versions',
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
