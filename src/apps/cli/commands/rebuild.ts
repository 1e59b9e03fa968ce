import { InterruptedError } from '../../../platform/errors.ts'
import { hasWarehouse } from '../../../platform/deps.ts'
import { rebuild } from '../../../platform/rebuild/rebuild.ts'
import { openEnvironment } from '../../environment.ts'
import { formatCount, formatDuration, formatTable } from '../../format.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'

/** `tidemark rebuild`: makes the warehouse, or the processed zone too, again from the lake. */
export async function rebuildCommand(
  { output, config, given, signal }: CommandContext,
  { from, to }: { from: 'processed' | 'ingestion'; to: string | undefined },
): Promise<number> {
  const startedAt = performance.now()
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    isLakeEnough: true,
    signal,
  })
  const { deps } = environment
  const report = await rebuild(deps, { from, to }).catch((error: unknown) => {
    if (error instanceof InterruptedError) {
      output.note('  Stopped. Nothing was half-published. To go on: the same command again')
    }
    throw error
  })
  const { batch, generation, newest, tables } = report
  const durationMs = Math.round(performance.now() - startedAt)
  for (const table of tables) output.emit({ event: 'table_rebuilt', ...table })
  output.conclude({
    event: 'rebuilt',
    batch,
    newest,
    generation,
    tables: tables.length,
    durationMs,
  })
  const rows = tables.map(({ table, rows: count, hash }) => [table, formatCount(count), hash])
  output.print(formatTable(['table', 'rows', 'hash'], rows).replaceAll(/^/gm, '  '))
  const what = hasWarehouse(deps) ? 'The warehouse' : 'The processed zone'
  output.print(
    `\n  ${output.style('green', '✓')} ${what} is made again up to batch ${batch}   ${formatDuration(durationMs)}`,
  )
  if (batch < newest) {
    output.advise(
      `  The lake ends at batch ${newest}. The next run loads what follows batch ${batch}: tidemark run`,
    )
  }
  return EXIT.done
}
