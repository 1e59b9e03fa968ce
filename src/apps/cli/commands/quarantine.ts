import { ConfigError } from '../../../platform/errors.ts'
import {
  checkEntryId,
  findEntry,
  type QuarantineEntry,
  readQuarantine,
  replay,
} from '../../../platform/inspect/quarantine.ts'
import { checkKnown, sourceAndStarTables } from '../../../platform/project/known-table.ts'
import type { Project } from '../../../platform/project/project.ts'
import { openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT, exitCodeOfRun } from '../exit-code.ts'
import { formatMoment, formatNumber, formatTable, shorten } from '../../format.ts'
import { reportRun } from './run.ts'

/** `tidemark quarantine list`: prints the rows in quarantine, each with its reason. */
export async function listCommand(
  { output, config, given, signal }: CommandContext,
  { table, limit: written }: { table: string | undefined; limit: string },
): Promise<number> {
  const limit = parseLimit(written)
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    signal,
    check(project) {
      if (table !== undefined) checkKnown(table, sourceAndStarTables(project))
    },
  })
  const { entries, total } = await readQuarantine(environment.deps, {
    ...(table === undefined ? {} : { table }),
    limit,
  })
  for (const entry of entries) output.emit({ event: 'quarantined_row', ...entry })
  output.conclude({ event: 'quarantine_listed', rows: entries.length, total })
  if (total === 0) {
    output.print(`  ${output.style('green', '✓')} Nothing is in quarantine.`)
    return EXIT.done
  }
  const rows = entries.map((entry) => [
    entry.id,
    shorten(describeKey(entry)),
    entry.reason,
    entry.column ?? '',
    formatMoment(entry.capturedAt),
  ])
  output.print(`\n${formatTable(['id', 'key', 'reason', 'column', 'captured (UTC)'], rows)}`)
  const shown = entries.length < total ? `${entries.length} of ` : ''
  output.advise(
    `\n  ${shown}${formatNumber(total, 'row')} in quarantine   Next: tidemark quarantine show ${entries[0]?.id ?? '<id>'}`,
  )
  return EXIT.done
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 0) return limit
  throw new ConfigError(`--limit needs a whole number; ${text} is not one`, {
    code: 'USAGE',
    hint: 'tidemark quarantine list --limit 20',
  })
}

/** `tidemark quarantine show ID`: prints a row as it was captured, and what fixes it. */
export async function showCommand(
  { output, config, given, signal }: CommandContext,
  { id }: { id: string },
): Promise<number> {
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    signal,
    check: (project) => checkEntryId(project, id),
  })
  const entry = await findEntry(environment.deps, id)
  output.conclude({ event: 'quarantined_row', ...entry })
  const { table, batch, operation, reason, column, capturedAt } = entry
  output.print(
    `  ${output.style('bold', `${table} ${describeKey(entry)}`)}   ${output.style('red', reason)}${column === undefined ? '' : ` in ${column}`}`,
  )
  output.print(`  ${operation} of batch ${batch}, captured ${formatMoment(capturedAt)} UTC\n`)
  const cells = Object.entries(entry.content).map(([name, value]) => [
    name === column ? `▸ ${name}` : `  ${name}`,
    value ?? '∅',
  ])
  output.print(formatTable(['  column', 'value'], cells))
  output.advise(`\n  ${explain(entry, environment.deps.project)}`)
  return EXIT.done
}

/** What is wrong with a row, and what to do about it. */
function explain({ zone, table, reason }: QuarantineEntry, { source }: Project): string {
  if (zone === 'processed') {
    return 'A model refuses this row. Next: correct it in the source, and the next run takes it; or change the model, then: tidemark quarantine replay'
  }
  if (source.feeds?.some(({ name }) => name === table) === true) {
    return `The feed ${table} refuses this row (docs/feeds.md). Next: drop a corrected copy in a file with a new name; the next run takes it.`
  }
  const why = WHY[reason] ?? 'The value has no exact form in the lake.'
  return `${why} Next: correct the row in the source; the next run takes it.`
}

const WHY: Readonly<Record<string, string>> = {
  not_utf8: 'The text is not UTF-8; it is shown as its bytes.',
  row_too_large:
    'The row is larger than the lake takes (16 MB); its large fields are shown as their sizes.',
}

/** `tidemark quarantine replay`: runs with another chance for every row in quarantine. */
export async function replayCommand(context: CommandContext): Promise<number> {
  const { output, config, given, signal } = context
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    signal,
  })
  const { report, before, after } = await replay(environment.deps)
  reportRun(context, environment, report)
  output.conclude({ event: 'replayed', before, after })
  if (report.failures.length > 0) return exitCodeOfRun(report)
  const done = after < before ? `${formatNumber(before - after, 'row')} left quarantine. ` : ''
  output.advise(
    after === 0
      ? `  ${output.style('green', '✓')} ${done}Nothing is in quarantine.`
      : `  ${done}${formatNumber(after, 'row')} still in quarantine, because neither the rows nor the models were fixed.   Next: tidemark quarantine list`,
  )
  return after === 0 ? exitCodeOfRun(report) : EXIT.quarantined
}

function describeKey({ key }: QuarantineEntry): string {
  return Object.values(key)
    .map((value) => value ?? '∅')
    .join(', ')
}
