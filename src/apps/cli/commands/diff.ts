import { ConfigError } from '../../../platform/errors.ts'
import { readDiff, type TableDiff } from '../../../platform/inspect/diff.ts'
import type { ChangedKey } from '../../../platform/inspect/net-changes.ts'
import { openEnvironment } from '../../environment.ts'
import { formatCount, formatMomentUtc, formatTable, shorten } from '../../format.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import type { Output } from '../output.ts'
import { onOneLine } from '../terminal-text.ts'
import { tellKey } from '../told-key.ts'

/**
 * `tidemark diff A B [TABLE]`: prints the keys that came, went or changed from batch A to batch B, net.
 * Exits 0 whether or not there are any.
 */
export async function diffCommand(
  { output, config, given, signal }: CommandContext,
  options: { from: string; to: string; table: string | undefined; limit: string },
): Promise<number> {
  const limit = parseLimit(options.limit)
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    signal,
  })
  const diff = await readDiff(environment.deps, { ...options, limit })
  output.conclude({ event: 'diff', ...diff })
  const { from, to, fromAt, toAt, tables } = diff
  const place = (batch: number, at: string | null) =>
    at === null ? 'the empty lake' : `batch ${batch} of ${formatMomentUtc(at)}`
  output.print(`  From ${place(from, fromAt)} to ${place(to, toAt)}`)
  const changed = tables.filter((table) => countOf(table) > 0)
  if (changed.length === 0) output.print(`\n  ${output.style('green', '✓')} Nothing differs.`)
  else output.print(`\n${countTable(changed).replaceAll(/^/gm, '  ')}`)
  for (const table of tables) printTable(output, table, limit)
  return EXIT.done
}

function parseLimit(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new ConfigError(`--limit needs a whole number; ${text} is not one`, {
    code: 'USAGE',
    hint: 'tidemark diff 1 2 --limit 20',
  })
}

function countOf({ inserted, updated, deleted }: TableDiff): number {
  return inserted + updated + deleted
}

function countTable(tables: readonly TableDiff[]): string {
  const rows = tables.map(({ table, inserted, updated, deleted }) => [
    table,
    ...[inserted, updated, deleted].map(formatCount),
  ])
  return formatTable(['table', 'inserted', 'updated', 'deleted'], rows)
}

function printTable(output: Output, diff: TableDiff, limit: number): void {
  const notes = describeNotes(diff)
  const rest = countOf(diff) - diff.keys.length
  if (notes.length + countOf(diff) === 0) return
  output.print(`\n  ${output.style('bold', diff.table)}`)
  for (const note of notes) output.print(output.style('yellow', `    ! ${note}`))
  for (const key of diff.keys) output.print(describeKey(output, key))
  if (rest > 0) {
    output.print(`    … ${formatCount(rest)} more   --limit ${limit + rest} shows them`)
  }
}

function describeNotes({ held, heldDeletes = 0, isGone, leftOutAt, schema }: TableDiff): string[] {
  return [
    ...(isGone === true ? ['not captured any more, so nothing is compared'] : []),
    ...(leftOutAt === undefined ? [] : [`left out since ${formatMomentUtc(leftOutAt)}`]),
    ...(held === undefined
      ? []
      : [
          `held since batch ${held.since} (${held.reason}): the lake does not have its changes since then`,
        ]),
    ...(heldDeletes === 0
      ? []
      : [`${formatCount(heldDeletes)} deletions wait until you confirm them`]),
    ...(
      [
        ['new', schema?.added],
        ['dropped, and not compared', schema?.removed],
        ['of another type', schema?.changed],
      ] as const
    ).flatMap(([what, columns = []]) =>
      columns.length === 0 ? [] : [`columns ${what}: ${onOneLine(columns.join(', '))}`],
    ),
  ]
}

const SIGNS = { insert: '+', update: '~', delete: '-' } as const
const STYLES = { insert: 'green', update: 'yellow', delete: 'red' } as const

/** One line: the sign, the key, the columns that changed, and a row without a key as its values. */
function describeKey(output: Output, { change, key, columns, copies, row }: ChangedKey): string {
  const parts = [tellKey(Object.values(key))]
  if (row !== undefined && copies !== undefined) {
    const values = Object.entries(row).map(
      ([name, value]) => `${onOneLine(name)}=${value === null ? '∅' : shorten(onOneLine(value))}`,
    )
    const { before, after } = copies
    const counts = change === 'update' ? `${before} → ${after}` : `${before + after}`
    parts.push(`${values.join(' ')} × ${counts}`)
  } else if (columns.length > 0) parts.push(onOneLine(columns.join(', ')))
  return `    ${output.style(STYLES[change], SIGNS[change])} ${parts.join('   ')}`
}
