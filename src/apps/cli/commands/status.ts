import type { Hold } from '../../../platform/lake/commit-record.ts'
import { readStatus, type Status, type TableStatus } from '../../../platform/inspect/status.ts'
import { type Pulse, readPulse } from '../../alerts/heartbeat.ts'
import { alertOnAge } from '../../alerts/start-alerts.ts'
import { openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import {
  formatCount,
  formatDuration,
  formatMoment,
  formatNumber,
  formatTable,
} from '../../format.ts'
import { heldAdvice, type HeldPlace } from '../held-advice.ts'
import type { Output } from '../output.ts'

/** `tidemark status`: prints how fresh the warehouse is, and what is held or in quarantine. */
export async function statusCommand(
  { output, config, given, signal }: CommandContext,
  { check }: { check: boolean },
): Promise<number> {
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    ...(check && { warehouseFor: '--check' }),
    signal,
  })
  const pulse = await readPulse(config.TIDEMARK_HOME, new Date())
  let status: Status | undefined
  try {
    status = await readStatus(environment.deps, {
      reader: environment.reader,
      promiseMs: config.TIDEMARK_PROMISE_MINUTES * 60_000,
      now: environment.now(),
    })
  } finally {
    const completeTo = status?.warehouse?.completeTo
    if (check) await alertOnAge(environment, { completeTo, pulse, log: output.log })
  }
  output.conclude({ event: 'status', ...status, ...(pulse && { heartbeat: pulse }) })
  print(output, status)
  if (pulse !== undefined) printPulse(output, pulse)
  if (!check) return EXIT.done
  if (!status.isFresh || pulse?.isMissing === true) return EXIT.stale
  const stands = [...status.held, ...status.tables].some(({ hold }) => hold !== undefined)
  return stands ? EXIT.held : EXIT.done
}

function print(output: Output, status: Status): void {
  const { warehouse, lagMs, batches } = status
  const promise = `promise ${formatDuration(status.promiseMs)}`
  if (status.isLakeOnly) {
    output.print('  Lake only: there is no warehouse, so nothing keeps how fresh the lake is.')
  } else if (warehouse === undefined || lagMs === undefined) {
    output.advise(`  ${output.style('red', 'The warehouse is empty.')}   Next: tidemark run`)
  } else {
    const age = `complete up to ${formatMoment(warehouse.completeTo)} UTC, ${formatDuration(lagMs)} ago`
    if (status.isFresh) output.print(`  ${output.style('green', '✓ fresh')}   ${age} (${promise})`)
    else {
      output.advise(
        `  ${output.style('red', '✕ late')}    ${age} (${promise})   Next: tidemark run`,
      )
    }
  }
  output.print(
    `  batches   ${batches.ingestion} captured · ${batches.processed} transformed${status.isLakeOnly ? '' : ` · ${batches.warehouse} loaded`}   generation ${status.generation}`,
  )
  const { batches: recent, p50Ms, p99Ms } = status.delays
  if (p50Ms !== undefined && p99Ms !== undefined) {
    output.print(
      `  delay     at most ${formatDuration(p50Ms)} (p50) · ${formatDuration(p99Ms)} (p99) from commit to visible, last hour, ${formatNumber(recent, 'batch', 'batches')}`,
    )
  }
  if (status.tables.length > 0) {
    const rows = status.tables.map((entry) => [
      entry.table,
      formatCount(entry.rows),
      describeTable(output, entry),
    ])
    output.print(`\n${indent(formatTable(['source table', 'rows', ''], rows))}`)
    for (const { table, hold, heldDeletes } of status.tables) {
      const reason = hold?.reason ?? (heldDeletes > 0 ? 'mass_deletion' : undefined)
      if (reason !== undefined) adviseHeld(output, { table, reason, kind: 'source' })
    }
  }
  if (status.facts.length > 0) {
    const rows = status.facts.map(({ table, current, versions }) => [
      table,
      formatCount(current),
      formatCount(versions),
    ])
    output.print(`\n${indent(formatTable(['fact', 'current', 'versions'], rows))}`)
  }
  for (const { table, hold } of status.held) {
    output.print(`  ${output.style('red', '✕ held')}    ${table}: ${describeHold(hold)}`)
    adviseHeld(output, { table, reason: hold.reason, kind: 'star' })
  }
  output.print(`\n  rows in quarantine ${formatCount(status.quarantined)}`)
  if (status.warnings.length > 0) {
    const rows = status.warnings.map((warning) => [
      warning.table,
      warning.check,
      formatCount(warning.rows),
      formatCount(warning.total),
    ])
    const header = ['published rows that break a check', '', 'in the last batch', 'so far']
    output.print(`\n${indent(formatTable(header, rows))}`)
  }
}

function printPulse(output: Output, { command, ageMs, endedAt, isMissing }: Pulse): void {
  const age = `${formatDuration(ageMs)} ago`
  if (isMissing) {
    output.advise(
      `  ${output.style('red', '✕ missing')} ${command}   last sign of life ${age}   Next: ${command}`,
    )
  } else if (endedAt === undefined) output.print(`  running   ${command}   sign of life ${age}`)
  else output.print(`  stopped   ${command}   ${age}, on purpose`)
}

function describeTable(output: Output, { heldDeletes, hold, quarantined }: TableStatus): string {
  return [
    hold === undefined ? '' : output.style('red', `held: ${describeHold(hold)}`),
    heldDeletes > 0 ? `${formatCount(heldDeletes)} deletions held` : '',
    quarantined > 0 ? `${formatNumber(quarantined, 'row')} in quarantine` : '',
  ]
    .filter((part) => part !== '')
    .join(' · ')
}

/** Says why a table is held, in the word that a run's line uses, and what releases it. */
function adviseHeld(output: Output, place: HeldPlace): void {
  output.advise(`  ! ${place.table} (${place.reason})   Next: ${heldAdvice(place)}`)
}

function describeHold({ detail, sinceAt }: Hold): string {
  return `${detail}, since ${formatMoment(sinceAt)} UTC`
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ')
}
