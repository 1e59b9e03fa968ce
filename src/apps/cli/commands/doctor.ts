import { examine } from '../../../platform/inspect/doctor.ts'
import { openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'

/** `tidemark doctor`: rehearses what a run needs, and prints the fix for each problem. */
export async function doctorCommand({ output, config, signal }: CommandContext): Promise<number> {
  await using environment = await openEnvironment({ config, log: output.log, fill: false, signal })
  const { deps, reader } = environment
  const findings = await examine(deps, { reader })
  for (const finding of findings) {
    output.emit({ event: 'examined', ...finding })
    const mark = finding.ok ? output.style('green', '✓') : output.style('red', '✕')
    output.print(`  ${mark} ${finding.what.padEnd(36)} ${finding.detail}`)
    if (finding.hint !== undefined) output.advise(`    Next: ${finding.hint}`)
  }
  const isHealthy = findings.every(({ ok }) => ok)
  output.advise(isHealthy ? '\n  All is well.   Next: tidemark run' : '')
  return isHealthy ? EXIT.done : EXIT.failed
}
