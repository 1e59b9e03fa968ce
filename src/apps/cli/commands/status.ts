import { readStatus, type Status } from '../../../platform/status.ts'
import { openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { formatCount, formatDuration, formatMoment, formatTable } from '../format.ts'
import type { Output } from '../output.ts'

/** `tidemark status`: how fresh the warehouse is, and what waits where. */
export async function statusCommand(
  { output, config, signal }: CommandContext,
  { check, count }: { check: boolean; count: boolean },
): Promise<number> {
  await using environment = await openEnvironment({ config, log: output.log, fill: false, signal })
  const status = await readStatus(environment.deps, {
    reader: environment.reader,
    promiseMs: config.TIDEMARK_PROMISE_MINUTES * 60_000,
    now: new Date(),
    maxBatchesToCount: count ? Number.MAX_SAFE_INTEGER : 1000,
  })
  output.emit({ event: 'status', ...status })
  print(output, status)
  return check && !status.isFresh ? EXIT.stale : EXIT.done
}

function print(output: Output, status: Status): void {
  const { warehouse, lagMs, batches } = status
  const promise = `promise ${formatDuration(status.promiseMs)}`
  if (warehouse === undefined || lagMs === undefined) {
    output.print(`  ${output.style('red', 'The warehouse is empty.')}   Next: tidemark run`)
  } else {
    const age = `complete up to ${formatMoment(warehouse.completeTo)} UTC, ${formatDuration(lagMs)} ago`
    output.print(
      status.isFresh
        ? `  ${output.style('green', '✓ fresh')}   ${age} (${promise})`
        : `  ${output.style('red', '✕ late')}    ${age} (${promise})   Next: tidemark run`,
    )
  }
  output.print(
    `  batches   ${batches.ingestion} captured · ${batches.processed} transformed · ${batches.warehouse} loaded   generation ${status.generation}`,
  )
  if (status.tables.length > 0) {
    const rows = status.tables.map(({ table, rows: count, heldDeletes }) => [
      table,
      formatCount(count),
      heldDeletes > 0 ? `${formatCount(heldDeletes)} deletions held back` : '',
    ])
    output.print(`\n${indent(formatTable(['source table', 'rows', ''], rows))}`)
  }
  if (status.facts.length > 0) {
    const rows = status.facts.map(({ table, current, versions }) => [
      table,
      formatCount(current),
      formatCount(versions),
    ])
    output.print(`\n${indent(formatTable(['fact', 'current', 'versions'], rows))}`)
  }
  const counted = (count: number | undefined) =>
    count === undefined ? 'not counted (--count)' : formatCount(count)
  output.print(
    `\n  quarantined rows ${counted(status.quarantined)} · orphaned objects ${counted(status.orphans)}`,
  )
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ')
}
