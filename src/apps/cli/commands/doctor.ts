import { examine } from '../../../platform/inspect/doctor.ts'
import type { Finding } from '../../../platform/inspect/finding.ts'
import { examineAlerts } from '../../alerts/examine-alerts.ts'
import { openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { formatCount, formatNumber } from '../../format.ts'
import type { Output } from '../output.ts'

/** `tidemark doctor`: rehearses what a run needs, and prints the fix for each problem. */
export async function doctorCommand({
  output,
  config,
  given,
  signal,
}: CommandContext): Promise<number> {
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    signal,
  })
  const { deps, reader, saverUrl, local } = environment
  // An embedded server that an earlier version runs gets the role at its next start.
  const isAwaited = local !== undefined && saverUrl === undefined
  const findings = await examine(deps, {
    reader,
    ...(isAwaited ? {} : { saver: { url: saverUrl } }),
  })
  findings.push(...(await examineAlerts(config)))
  for (const finding of findings) {
    output.emit({ event: 'examined', ...finding })
    const { what, unchecked, detail, hint, note } = finding
    const seen = unchecked === true ? `not checked: ${detail}` : detail
    output.print(`  ${markOf(output, finding)} ${what.padEnd(36)} ${seen}`)
    if (hint !== undefined) output.advise(`    Next: ${hint}`)
    if (note !== undefined) output.advise(`          ${note}`)
  }
  const counts = countFindings(findings)
  output.conclude({ event: 'doctor_finished', ...counts })
  output.advise(`\n  ${summarize(counts)}`)
  return findings.every(({ ok }) => ok) ? EXIT.done : EXIT.failed
}

/** Green only if it was checked and needs nothing. */
function markOf(output: Output, { ok, unchecked, hint }: Finding): string {
  if (!ok) return output.style('red', '✕')
  if (unchecked === true) return output.style('yellow', '–')
  return hint === undefined ? output.style('green', '✓') : output.style('yellow', '!')
}

interface FindingCounts {
  readonly faults: number
  readonly suggestions: number
  readonly unchecked: number
}

function countFindings(findings: readonly Finding[]): FindingCounts {
  const unchecked = findings.filter(({ unchecked: is }) => is === true).length
  const advised = findings.filter(({ ok, hint }) => ok && hint !== undefined).length
  const faults = findings.filter(({ ok }) => !ok).length
  return { faults, suggestions: advised - unchecked, unchecked }
}

/** Says that all is well, only if everything was checked and nothing needs fixing. */
function summarize({ faults, suggestions, unchecked }: FindingCounts): string {
  const rest = [
    suggestions > 0 ? formatNumber(suggestions, 'suggestion') : '',
    unchecked > 0 ? `${formatCount(unchecked)} not checked` : '',
  ].filter((part) => part !== '')
  if (faults > 0) {
    const found = [formatNumber(faults, 'fault'), ...rest].join(', ')
    return `${found}.   Fix what is marked ✕, then: tidemark doctor`
  }
  const all = rest.length === 0 ? 'All is well' : `Nothing is wrong; ${rest.join(', ')}`
  return `${all}.   Next: tidemark run`
}
