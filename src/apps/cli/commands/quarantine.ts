import { ConfigError } from '../../../platform/errors.ts'
import {
  findEntry,
  type QuarantineEntry,
  readQuarantine,
  replay,
} from '../../../platform/quarantine.ts'
import { openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT, exitCodeOfRun } from '../exit-code.ts'
import { formatMoment, formatNumber, formatTable } from '../format.ts'
import { reportRun } from './run.ts'

/** `tidemark quarantine list`: what is in quarantine now, and why. */
export async function listCommand(
  { output, config, signal }: CommandContext,
  { table, limit }: { table: string | undefined; limit: string },
): Promise<number> {
  await using environment = await openEnvironment({ config, log: output.log, fill: false, signal })
  const { entries, total } = await readQuarantine(environment.deps, {
    ...(table === undefined ? {} : { table }),
    limit: parseLimit(limit),
  })
  for (const entry of entries) output.emit({ event: 'quarantined_row', ...entry })
  if (total === 0) {
    output.print(`  ${output.style('green', '✓')} Nothing is in quarantine.`)
    return EXIT.done
  }
  const rows = entries.map((entry) => [
    entry.id,
    describeKey(entry),
    entry.reason,
    entry.column ?? '',
    formatMoment(entry.capturedAt),
  ])
  output.print(`\n${formatTable(['id', 'key', 'reason', 'column', 'captured (UTC)'], rows)}`)
  const shown = entries.length < total ? `${entries.length} of ` : ''
  output.print(
    `\n  ${shown}${formatNumber(total, 'row')} in quarantine   Next: tidemark quarantine show ${entries[0]?.id ?? '<id>'}`,
  )
  return EXIT.done
}

function parseLimit(text: string): number {
  const limit = Number(text)
  if (Number.isInteger(limit) && limit >= 0) return limit
  throw new ConfigError(`--limit takes a whole number, not ${text}`, { code: 'USAGE' })
}

/** `tidemark quarantine show ID`: the row as it was captured, and what fixes it. */
export async function showCommand(
  { output, config, signal }: CommandContext,
  { id }: { id: string },
): Promise<number> {
  await using environment = await openEnvironment({ config, log: output.log, fill: false, signal })
  const entry = await findEntry(environment.deps, id)
  output.emit({ event: 'quarantined_row', ...entry })
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
  output.print(
    entry.zone === 'ingestion'
      ? '\n  The value has no exact form in the lake. Next: correct the row in the source; the next run takes it.'
      : '\n  The models refuse the row. Next: correct it in the source, and the next run takes it; or change the model, then: tidemark quarantine replay',
  )
  return EXIT.done
}

/** `tidemark quarantine replay`: another chance for every row in quarantine. */
export async function replayCommand(context: CommandContext): Promise<number> {
  const { output, config, signal } = context
  await using environment = await openEnvironment({ config, log: output.log, fill: false, signal })
  const { report, before, after } = await replay(environment.deps)
  output.emit({ event: 'replayed', before, after })
  reportRun(context, report)
  if (report.failures.length > 0) return exitCodeOfRun(report)
  const done = after < before ? `${formatNumber(before - after, 'row')} left quarantine. ` : ''
  output.print(
    after === 0
      ? `  ${output.style('green', '✓')} ${done}Nothing is in quarantine.`
      : `  ${done}${formatNumber(after, 'row')} still in quarantine: neither the rows nor the models have been fixed.   Next: tidemark quarantine list`,
  )
  return after === 0 ? exitCodeOfRun(report) : EXIT.quarantined
}

function describeKey({ key }: QuarantineEntry): string {
  return Object.values(key)
    .map((value) => value ?? '∅')
    .join(', ')
}
