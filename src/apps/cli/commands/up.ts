import { run } from '../../../platform/pipeline.ts'
import { addressOf, type Environment, openEnvironment } from '../../environment.ts'
import { startLiving } from '../../local/living-totesys/start.ts'
import type { CommandContext } from '../context.ts'
import { exitCodeOfRun } from '../exit-code.ts'
import { formatCount, formatNumber } from '../format.ts'
import { type Output, stepLine } from '../output.ts'
import { repeatRuns, reportRun } from './run.ts'

export interface UpOptions {
  /** One full cycle and out. */
  readonly once: boolean
  readonly everyMs: number
}

/** `tidemark up`: everything on this machine. Starts what is embedded, runs until interrupted. */
export async function upCommand(
  context: CommandContext,
  { once, everyMs }: UpOptions,
): Promise<number> {
  const { output, config, signal } = context
  output.note(
    `\n  ${output.style('bold', 'tidemark up')}   everything on this machine, nothing leaves it\n`,
  )
  await using environment = await openEnvironment({
    config,
    log: (entry) => {
      output.log(entry)
      noteStart(output, entry)
    },
    fill: true,
    signal,
  })
  const { deps, local } = environment
  output.note(
    stepLine(output, {
      what: 'lake ready',
      more: `${deps.ingestion.location} · ${deps.processed.location}`,
    }),
  )

  const first = await run(deps)
  reportRun(context, first)
  if (once || signal.aborted) {
    if (first.failures.length === 0) output.note(summary(output, environment, { once: true }))
    return exitCodeOfRun(first)
  }
  const living =
    local === undefined || local.isAttached
      ? undefined
      : startLiving({
          url: local.databases.adminUrl,
          seed: config.TIDEMARK_TOTESYS_SEED,
          speed: config.TIDEMARK_TOTESYS_SPEED,
          onError: () => output.note(output.style('yellow', '  Totesys stumbled; it goes on.')),
        })
  try {
    output.note(summary(output, environment, { once: false }))
    return await repeatRuns(context, environment, { everyMs, confirmed: new Set() })
  } finally {
    await living?.stop()
  }
}

function noteStart(output: Output, entry: { event: string; [field: string]: unknown }): void {
  const durationMs = Number(entry['durationMs'])
  if (entry.event === 'postgres_started') {
    const what = `Postgres ${String(entry['version'])} started`
    output.note(stepLine(output, { what, durationMs, more: String(entry['address']) }))
  } else if (entry.event === 'source_filled') {
    const what = `Totesys filled: ${formatCount(Number(entry['tables']))} tables, ${formatNumber(Number(entry['rows']), 'row')}`
    output.note(stepLine(output, { what, durationMs, more: 'read-only user tidemark_source' }))
  } else if (entry.event === 'batch_loaded' && entry['batch'] === 1) {
    output.note(stepLine(output, { what: 'warehouse ready: batch 1 loaded' }))
  }
}

function summary(
  output: Output,
  { deps, reader, local }: Environment,
  { once }: { once: boolean },
): string {
  const what = local === undefined ? 'read' : 'a living Totesys, read'
  const lines = [
    '',
    `  Source      ${addressOf(deps.source)}   ${what} with SELECT only`,
    `  Warehouse   ${addressOf(reader)}   schema ${deps.warehouse.schema}`,
  ]
  if (local !== undefined && !once) {
    const { username, host, pathname } = new URL(reader.url)
    lines.push(
      `  Read it     PGPASSFILE=${local.passFile} psql postgresql://${username}@${host}${pathname}`,
    )
  }
  const history = output.style('cyan', 'npx tidemark history sales_order 42')
  const next = once
    ? `${history} · npx tidemark verify · npm start`
    : `${history}   in another terminal. Ctrl-C stops everything.`
  return [...lines, '', `  Try: ${next}`, ''].join('\n')
}
