import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError, InterruptedError } from '../../../platform/errors.ts'
import type { RowCounts } from '../../../platform/lake/commit-record.ts'
import { changedRows } from '../../../platform/lake/table-entry.ts'
import { run, type RunReport } from '../../../platform/pipeline.ts'
import { checkKnown, databaseTables } from '../../../platform/project/known-table.ts'
import { type Environment, openEnvironment } from '../../environment.ts'
import { type RunWatch, watchRuns } from '../../alerts/start-alerts.ts'
import { checkReports, startReports } from '../../reports/start-reports.ts'
import type { CommandContext } from '../context.ts'
import { EXIT, exitCodeOfRun } from '../exit-code.ts'
import type { Result } from '../results.ts'
import { capturePast } from './capture-past.ts'
import { formatCount, formatDuration, formatMoment, formatNumber } from '../../format.ts'

/** How often to run, and what is confirmed. */
export interface RunCommandOptions {
  /** Milliseconds between the starts of two runs. Undefined: one run. */
  readonly everyMs: number | undefined
  /** Tables whose mass deletion is right. */
  readonly confirmDeletes: readonly string[]
}

/** `tidemark run`: runs once, or one run after the other until interrupted. */
export async function runCommand(
  context: CommandContext,
  { everyMs, confirmDeletes }: RunCommandOptions,
): Promise<number> {
  const { output, config, given, signal } = context
  if (everyMs !== undefined) await checkReports(config)
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: true,
    signal,
    check(project) {
      for (const table of confirmDeletes) checkKnown(table, databaseTables(project))
    },
  })
  const confirmed = new Set(confirmDeletes)
  const command = everyMs === undefined ? undefined : `tidemark run --every ${writeEvery(everyMs)}`
  await using watch = await watchRuns(environment, {
    log: output.log,
    signal,
    ...(command !== undefined && { command }),
  })
  await capturePast(context, environment)
  if (everyMs === undefined) {
    const report = await run(environment.deps, { confirmDeletes: confirmed })
    describeRun(context, environment, report)
    watch.after(report)
    output.conclude(runResult(report))
    return exitCodeOfRun(report)
  }
  await using _reports = await startReports(environment, { log: output.log })
  return await repeatRuns(context, environment, { everyMs, confirmed, watch })
}

/**
 * Runs until interrupted, with pauses as `pauseAfter` says. Reports a run that fails; the next one
 * catches up. Confirmed deletions count for the first run only.
 */
export async function repeatRuns(
  context: CommandContext,
  environment: Environment,
  {
    everyMs,
    confirmed,
    watch,
  }: { everyMs: number; confirmed: ReadonlySet<string>; watch: RunWatch },
): Promise<number> {
  const { output, signal } = context
  let confirmDeletes = confirmed
  let quietSince = Date.now()
  while (!signal.aborted) {
    const startedAt = Date.now()
    const report = await run(environment.deps, { confirmDeletes })
    confirmDeletes = new Set()
    const isQuiet =
      report.failures.length === 0 &&
      (report.loaded?.batches ?? report.transformed?.batches)?.length === 0
    if (!isQuiet || Date.now() - quietSince >= 60_000 || output.isJson) {
      reportRun(context, environment, report)
      quietSince = Date.now()
    }
    watch.after(report)
    const pauseMs = pauseAfter(report, { everyMs, tookMs: Date.now() - startedAt })
    await delay(pauseMs, undefined, { signal }).catch(() => {})
  }
  output.note('  Stopped. Nothing was half-published.')
  return EXIT.interrupted
}

/** An interval as `--every` takes it. */
function writeEvery(everyMs: number): string {
  return everyMs % 1000 === 0 ? `${everyMs / 1000}s` : `${everyMs}ms`
}

/** With an interval of at most a second, changes that come in a burst are carried without pauses. */
const AT_ONCE_MS = 1000

/**
 * How long to wait after a run that took `tookMs`, so that the next begins when the interval is
 * over. After a run that loaded something, with an interval of at most a second: not at all, because
 * more may have come meanwhile. A longer interval spares the source, and is kept in every case.
 */
export function pauseAfter(
  { loaded, failures }: RunReport,
  { everyMs, tookMs }: { everyMs: number; tookMs: number },
): number {
  const hasFound = failures.length === 0 && (loaded?.batches.length ?? 0) > 0
  return hasFound && everyMs <= AT_ONCE_MS ? 0 : Math.max(0, everyMs - tookMs)
}

/** What a run did, as a `run_finished` object. */
function runResult(report: RunReport): Result {
  const { extracted, loaded, failures, held, quarantined, warnings } = report
  const { completeTo, delayMs, durationMs } = report
  return {
    event: 'run_finished',
    ok: failures.length === 0,
    batch: extracted?.record?.batch,
    changed: extracted?.committed ?? false,
    files: report.collected?.files ?? 0,
    filesIgnored: report.collected?.ignored ?? 0,
    ...sumCounts(report),
    transformed: report.transformed?.batches.length ?? 0,
    loaded: loaded?.batches ?? [],
    held,
    quarantined,
    warnings,
    completeTo,
    delayMs,
    durationMs,
    runId: report.runId,
  }
}

/**
 * Writes what one of several runs did: a line for people or a `run_finished` object, and each error
 * in full.
 */
export function reportRun(
  context: Pick<CommandContext, 'output' | 'config'>,
  environment: Pick<Environment, 'now'>,
  report: RunReport,
): void {
  context.output.emit(runResult(report))
  describeRun(context, environment, report)
}

/** A line for people, and each error in full. */
function describeRun(
  { output, config }: Pick<CommandContext, 'output' | 'config'>,
  { now }: Pick<Environment, 'now'>,
  report: RunReport,
): void {
  const { loaded, failures, held, warnings, completeTo, delayMs, durationMs } = report
  for (const error of distinct(failures.map((failure) => failure.error))) {
    if (!(error instanceof InterruptedError)) output.fail(error)
  }
  if (failures.length > 0) {
    const promiseMs = config.TIDEMARK_PROMISE_MINUTES * 60_000
    if (completeTo !== undefined)
      output.note(describePromise(completeTo, { promiseMs, now: now() }))
    output.note(describeSafety(report))
    return
  }
  const time = now().toISOString().slice(11, 19)
  const mark = output.style('green', '✓')
  const fresh = [
    completeTo === undefined
      ? ''
      : `${formatDuration(now().getTime() - Date.parse(completeTo))} behind the source`,
    delayMs === undefined ? '' : `visible at most ${formatDuration(delayMs)} after commit`,
  ]
    .filter((part) => part !== '')
    .join(' · ')
  const last = loaded?.lastBatch ?? report.extracted?.record?.batch ?? 0
  const what = describeWork(report, sumCounts(report))
  output.print(
    `   ${time}  batch ${last}  ${mark}  ${what.padEnd(40)} ${formatDuration(durationMs).padStart(6)}   ${fresh}`.trimEnd(),
  )
  for (const { table, check, rows } of warnings) {
    output.note(
      `   ${output.style('yellow', '! published:')} ${formatNumber(rows, 'row')} of ${table} ${rows === 1 ? 'breaks' : 'break'} the check ${check}   see tidemark status`,
    )
  }
  if (held.length > 0) {
    const tables = held.map(({ table, reason }) => `${table} (${reason})`).join(', ')
    // The alert about held deletions names the command; status may have no batch that shows them.
    const isTable = held.some(({ reason }) => reason !== 'mass_deletion')
    const see = isTable ? '   see tidemark status' : ''
    output.note(`   ${output.style('red', '! held:')} ${tables}${see}`)
  }
}

/**
 * What a run that succeeded did, in a few words. Its own batch was never pending, and may hold no
 * changed row: a table became held or was released, or only its schema changed.
 */
function describeWork(report: RunReport, counts: Counts): string {
  const { extracted, collected, loaded, quarantined } = report
  const files = collected?.files ?? 0
  if (changedRows(counts) + files > 0) {
    return [describeChanges(counts), files > 0 ? formatNumber(files, 'file') : '']
      .filter((part) => part !== '')
      .join('  ')
  }
  const committed = [extracted, collected].filter((each) => each?.committed === true)
  const own = new Set(committed.map((each) => each?.record?.batch))
  const pending = loaded?.batches.filter((batch) => !own.has(batch)).length ?? 0
  if (pending > 0) return `${formatNumber(pending, 'pending batch', 'pending batches')} loaded`
  if (quarantined > 0) return `${formatNumber(quarantined, 'row')} refused`
  if (extracted?.committed !== true || extracted.record === undefined) return 'nothing new'
  const { batch, tables } = extracted.record
  const held = Object.keys(tables).filter((table) => tables[table]?.held?.since === batch)
  return held.length > 0 ? `held: ${held.join(', ')}` : 'no row changed'
}

function describeChanges({ inserted, updated, deleted }: Counts): string {
  return [
    inserted > 0 ? `${formatCount(inserted)} new` : '',
    updated > 0 ? `${formatCount(updated)} changed` : '',
    deleted > 0 ? `${formatCount(deleted)} deleted` : '',
  ]
    .filter((part) => part !== '')
    .join('  ')
}

type CountName =
  | 'read'
  | 'accepted'
  | 'unchanged'
  | 'quarantined'
  | 'inserted'
  | 'updated'
  | 'deleted'

type Counts = Pick<RowCounts, CountName>

/** The counts of all tables together that a run captured from the database. */
function sumCounts({ extracted }: RunReport): Counts {
  const tables = extracted?.committed === true ? Object.values(extracted.record?.tables ?? {}) : []
  const sum = (name: CountName) => tables.reduce((total, { counts }) => total + counts[name], 0)
  return {
    read: sum('read'),
    accepted: sum('accepted'),
    unchanged: sum('unchanged'),
    quarantined: sum('quarantined'),
    inserted: sum('inserted'),
    updated: sum('updated'),
    deleted: sum('deleted'),
  }
}

/** Says how old the warehouse is, and when that breaks the promise. */
function describePromise(
  completeTo: string,
  { promiseMs, now }: { promiseMs: number; now: Date },
): string {
  const age = formatDuration(now.getTime() - Date.parse(completeTo))
  const breaksAt = new Date(Date.parse(completeTo) + promiseMs)
  const verb = breaksAt > now ? 'breaks' : 'broke'
  return (
    `  The warehouse is complete up to ${age} ago; the promise of ${formatDuration(promiseMs)} ` +
    `${verb} at ${formatMoment(breaksAt.toISOString())} UTC.`
  )
}

/** Leaves out errors that repeat an earlier one: every stage stumbles over the same lost zone. */
function distinct(errors: readonly unknown[]): unknown[] {
  const texts = errors.map(String)
  return errors.filter((_, index) => texts.indexOf(texts[index] ?? '') === index)
}

/** Says what a failed run did anyway, and what the next one will do. */
function describeSafety({ extracted, failures }: RunReport): string {
  const failed = new Set(failures.map(({ stage }) => stage))
  if (failed.has('extract')) {
    const isSetting = failures.some(({ error }) => error instanceof ConfigError)
    const next = isSetting ? 'once this is corrected, the next run' : 'the next run'
    return `  Nothing was captured by this run; ${next} catches up.`
  }
  const next = failed.has('transform') ? 'transforms and loads' : 'loads'
  const captured =
    extracted?.committed === true
      ? `Batch ${extracted.record?.batch} is captured${failed.has('transform') ? '' : ' and transformed'}`
      : 'There was nothing new to capture'
  return `  ${captured}; the next run ${next} what is pending.`
}
