import { ConflictError, InterruptedError, TidemarkError, codeOf } from '../../platform/errors.ts'
import type { CommitRecord, Hold } from '../../platform/lake/commit-record.ts'
import { DEFERRED, type HeldTable } from '../../platform/lake/held.ts'
import { sumRows } from '../../platform/lake/table-entry.ts'
import type { RunReport, Stage, StageFailure } from '../../platform/pipeline.ts'
import { own } from '../../platform/project/named-record.ts'
import { LOCKED } from '../../platform/source/lock.ts'
import { heldAdvice } from '../cli/held-advice.ts'
import { formatDuration, formatMomentUtc, formatNumber } from '../format.ts'
import type { Pulse } from './heartbeat.ts'
import { SAYS, saysStale } from './says.ts'

/** Who can say that a cause is over: a stage, a part of the state, or a sign of life. */
export type Judge =
  | Stage
  | 'source tables'
  | 'source quarantine'
  | 'star tables'
  | 'star quarantine'
  | 'freshness'
  | 'heartbeat'

/** Something that a person must hear about, in words. It holds no value of a row and no secret. */
export interface Cause {
  /** Two causes with the same key are the same cause. */
  readonly key: string
  readonly judges: readonly Judge[]
  /** A few words for a subject line. */
  readonly subject: string
  /** What has happened. */
  readonly says: string
  /** To what, and with which error. */
  readonly detail: string
  readonly safe: string
  /** The command to type, or the edit before it. */
  readonly next: string
}

/** What one look found. A cause that is not among these is over only if all its judges looked. */
export interface Seen {
  readonly causes: readonly Cause[]
  readonly judged: ReadonlySet<Judge>
}

/** What two looks at different things found together. */
export function together(...seen: readonly Seen[]): Seen {
  return {
    causes: seen.flatMap(({ causes }) => causes),
    judged: new Set(seen.flatMap(({ judged }) => [...judged])),
  }
}

/** What a run says about its stages, tables and rows. A stage that did not run is not judged. */
export function seenInRun(report: RunReport): Seen {
  const failures = report.failures.filter(({ error }) => !isPassing(error))
  const failed = new Set(failures.map(({ stage }) => stage))
  const unclear = new Set(report.failures.map(({ stage }) => stage).filter((s) => !failed.has(s)))
  const { extracted, transformed } = report
  const outcomes: readonly (readonly [Stage, unknown])[] = [
    ['extract', extracted],
    ['collect', report.collected],
    ['transform', transformed],
    ['load', report.loaded],
  ]
  const judged = new Set<Judge>(
    outcomes
      .filter(([stage, outcome]) => failed.has(stage) || (outcome && !unclear.has(stage)))
      .map(([stage]) => stage),
  )
  const causes = group(failures).map((each) => failureCause(each, report))
  if (extracted !== undefined) {
    judged.add('source tables').add('source quarantine')
    const tables = extracted.record?.tables ?? {}
    for (const held of extracted.held) {
      const since = own(tables, held.table)?.held
      causes.push(...heldCauses(held, { kind: 'source', since }))
    }
    const record = newest(report)
    const batch = record?.batch
    for (const [table, { open }] of Object.entries(record?.tables ?? {})) {
      causes.push(
        ...quarantineCauses({ table, rows: sumRows(open), judge: 'source quarantine', batch }),
      )
    }
  }
  if (transformed !== undefined) {
    judged.add('star tables').add('star quarantine')
    causes.push(...transformed.held.flatMap((held) => heldCauses(held, { kind: 'star' })))
    for (const [table, rows] of Object.entries(transformed.open)) {
      causes.push(
        ...quarantineCauses({
          table,
          rows,
          judge: 'star quarantine',
          batch: newest(report)?.batch,
        }),
      )
    }
  }
  return { causes, judged }
}

/** The newest batch that a run knows. */
function newest({ extracted, collected }: RunReport): CommitRecord | undefined {
  return collected?.record ?? extracted?.record
}

/** Runs that get in each other's way, or were asked to stop, did not fail. */
function isPassing(error: unknown): boolean {
  return error instanceof InterruptedError || error instanceof ConflictError
}

interface Group {
  readonly stages: readonly Stage[]
  readonly error: unknown
}

/** Several stages stumble over the same lost zone: that is one cause. */
function group(failures: readonly StageFailure[]): Group[] {
  const groups = new Map<string, { stages: Stage[]; error: unknown }>()
  for (const { stage, error } of failures) {
    const key = `${codeOf(error)} ${String(error)}`
    const known = groups.get(key)
    if (known === undefined) groups.set(key, { stages: [stage], error })
    else if (!known.stages.includes(stage)) known.stages.push(stage)
  }
  return [...groups.values()]
}

function failureCause({ stages, error }: Group, report: RunReport): Cause {
  const known = error instanceof TidemarkError ? error : undefined
  const code = known?.code ?? (codeOf(error) || 'UNEXPECTED')
  const where = list(stages)
  const hint = known?.hint ?? 'tidemark doctor'
  return {
    key: `failed ${stages.join('+')} ${code}`,
    judges: stages,
    subject: `${where} failed (${code})`,
    says: SAYS.failed,
    detail: `${capital(where)} failed: ${known?.message ?? explainUnknown(error)} [${code}]`,
    safe: safetyOf(new Set(stages), report),
    next: /\btidemark \w/.test(hint) ? hint : `${hint}; then: tidemark doctor`,
  }
}

/** An error that is not ours may hold a value, so its message stays in the log. */
function explainUnknown(error: unknown): string {
  const { syscall, name } = error as Partial<NodeJS.ErrnoException>
  if (typeof syscall === 'string') return `this machine refused to ${syscall}`
  return `an unexpected error (${name ?? 'unknown'}), which the log shows in full`
}

function safetyOf(stages: ReadonlySet<Stage>, report: RunReport): string {
  if (stages.has('extract')) {
    return 'Everything captured so far is kept, and the next run that succeeds catches up.'
  }
  if (stages.has('collect')) return 'The files stay where they are, and the next run takes them.'
  const batch = newest(report)?.batch
  const captured = batch === undefined ? 'What was captured' : `Everything up to batch ${batch}`
  const next = stages.has('transform') ? 'transforms and loads' : 'loads'
  return `${captured} is safe in the lake; the next run that succeeds ${next} what is pending.`
}

function heldCauses(
  { table, reason, detail }: HeldTable,
  { kind, since }: { kind: 'source' | 'star'; since?: Hold | undefined },
): Cause[] {
  // Both end by themselves. If not, the freshness promise breaks.
  if (reason === DEFERRED || reason === LOCKED) return []
  const isDeletes = reason === 'mass_deletion'
  const from =
    since === undefined ? '' : ` (since batch ${since.since}, ${formatMomentUtc(since.sinceAt)})`
  return [
    {
      key: `${isDeletes ? 'deletes' : 'held'} ${kind} ${table} ${reason}`,
      judges: [`${kind} tables`],
      subject: isDeletes ? `deletions in ${table} are held` : `${table} is held (${reason})`,
      says: isDeletes ? SAYS.deletes : SAYS.held,
      detail: `${table}: ${detail} [${reason}]${from}`,
      safe: isDeletes
        ? 'Nothing was deleted: lake and warehouse keep the rows. Everything else goes on.'
        : 'The table stays as it was, and catches up once this is fixed. All other tables go on.',
      next: heldAdvice({ table: shellWord(table), reason, kind }),
    },
  ]
}

function quarantineCauses({
  table,
  rows,
  judge,
  batch,
}: {
  table: string
  rows: number
  judge: Judge
  batch: number | undefined
}): Cause[] {
  if (rows === 0) return []
  return [
    {
      key: `${judge} ${table}`,
      judges: [judge],
      subject: `${formatNumber(rows, 'row')} of ${table} in quarantine`,
      says: SAYS.quarantined,
      detail: `${table}: ${formatNumber(rows, 'row')} in quarantine${batch === undefined ? '' : ` as of batch ${batch}`}`,
      safe: 'The refused rows are kept with their content and their reason. All other rows went on.',
      next: `tidemark quarantine list ${shellWord(table)}`,
    },
  ]
}

/**
 * What is known about the age of the warehouse. Judges nothing if `completeTo` (ISO 8601) is
 * undefined.
 */
export function seenInFreshness({
  completeTo,
  promiseMs,
  now,
  pulse,
}: {
  readonly completeTo: string | undefined
  readonly promiseMs: number
  /** By the clock of the source. */
  readonly now: Date
  readonly pulse?: Pulse | undefined
}): Seen {
  if (completeTo === undefined) return { causes: [], judged: new Set() }
  const judged = new Set<Judge>(['freshness'])
  const ageMs = now.getTime() - Date.parse(completeTo)
  if (ageMs <= promiseMs) return { causes: [], judged }
  const promised = promiseMs / 60_000
  const ended = pulse?.endedAt
  const stopped =
    ended === undefined
      ? ''
      : ` The process that kept it up to date (${pulse?.command}) was stopped at ${formatMomentUtc(ended)}.`
  const cause: Cause = {
    key: 'stale',
    judges: ['freshness'],
    subject: `the freshness promise of ${formatDuration(promiseMs)} is broken`,
    says: saysStale({ after: promised, promised }),
    detail: `The warehouse is complete up to ${formatMomentUtc(completeTo)}, ${formatDuration(ageMs)} ago.${stopped}`,
    safe: 'The warehouse is right, only old. The changes are in the source and will be captured.',
    next: ended === undefined ? 'tidemark doctor' : (pulse?.command ?? 'tidemark run'),
  }
  return { causes: [cause], judged }
}

/** What the sign of life of the process that should run says. */
export function seenInHeartbeat(pulse: Pulse | undefined): Seen {
  const judged = new Set<Judge>(['heartbeat'])
  if (pulse?.isMissing !== true) return { causes: [], judged }
  const { command, at, pid, place, file } = pulse
  const cause: Cause = {
    key: 'silent',
    judges: ['heartbeat'],
    subject: 'the process that should run does not',
    says: SAYS.silent,
    detail: `Process ${pid} on ${place} (${command}) gave its last sign of life at ${formatMomentUtc(at)}, and was not stopped on purpose.`,
    safe: 'Whatever it had committed is complete. The next run goes on from there.',
    next: `${command}   (if it should not run any more, delete ${file})`,
  }
  return { causes: [cause], judged }
}

/** A name as a shell reads it as one word. */
function shellWord(name: string): string {
  return /^[\w.-]+$/.test(name) ? name : `'${name.replaceAll("'", String.raw`'\''`)}'`
}

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1)
}
