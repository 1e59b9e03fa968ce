import { ConfigError } from '../../../platform/errors.ts'
import { sweep } from '../../../platform/inspect/sweep.ts'
import { openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { formatBytes, formatCount, formatNumber, formatTable } from '../../format.ts'

const HOUR_MS = 3_600_000

/** `tidemark lake sweep`: counts what killed runs left in the lake. Removes it only with `--delete`. */
export async function sweepCommand(
  { output, config, given, signal }: CommandContext,
  { remove, olderThanHours }: { remove: boolean; olderThanHours: string },
): Promise<number> {
  const before = new Date(Date.now() - parseHours(olderThanHours) * HOUR_MS)
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    signal,
  })
  const zones = await sweep(environment.deps, { before, remove })
  for (const zone of zones) output.emit({ event: 'zone_swept', ...zone })
  const removed = zones.reduce((sum, zone) => sum + zone.removed, 0)
  const left = zones.reduce((sum, { orphans }) => sum + orphans, 0) - removed
  output.conclude({ event: 'lake_swept', removed, left })
  const rows = zones.map(({ zone, objects, orphans, orphanBytes, removed: gone }) => [
    zone,
    formatCount(objects),
    formatCount(orphans),
    formatBytes(orphanBytes),
    formatCount(gone),
  ])
  output.print(`\n${formatTable(['zone', 'objects', 'orphans', 'size', 'removed'], rows)}`)
  output.advise(
    left === 0
      ? `\n  ${output.style('green', '✓')} No orphan older than ${olderThanHours} h is left.`
      : `\n  ${formatNumber(left, 'orphan')} older than ${olderThanHours} h, which do no harm. To remove them: tidemark lake sweep --delete`,
  )
  return EXIT.done
}

/** At least an hour: a run may be writing files that its commit record will name. */
function parseHours(text: string): number {
  const hours = Number(text)
  if (hours >= 1 && Number.isFinite(hours)) return hours
  throw new ConfigError(`--older-than needs a number of hours, 1 or more; ${text} is not one`, {
    code: 'USAGE',
    hint: 'tidemark lake sweep --older-than 24',
  })
}
