import { AWS_EVENTS } from '../../src/apps/aws/events.ts'
import { RESULTS } from '../../src/apps/cli/results.ts'
import { APP_EVENTS } from '../../src/apps/log.ts'
import { TOTESYS_EVENTS } from '../../src/totesys/events.ts'
import type { EventDescription } from '../../src/platform/log.ts'

const DECLARED: ReadonlyMap<string, EventDescription> = new Map(
  Object.entries({ ...APP_EVENTS, ...RESULTS, ...AWS_EVENTS, ...TOTESYS_EVENTS }),
)

/**
 * Throws unless an entry has exactly the fields that the list of events declares. The compiler does
 * not check fields that come from a spread. `exit`, of the final object, may come with each of them.
 */
export function checkDeclared({ at, ...entry }: Readonly<Record<string, unknown>>): void {
  const { event, level = 'info', ...given } = entry
  const declared = DECLARED.get(String(event))
  const fields = Object.keys(declared?.fields ?? {})
  const known = new Set(['exit', ...fields.map((name) => name.replace('?', ''))])
  const isFaulty =
    declared?.levels.some((each) => each === level) !== true ||
    Object.keys(given).some((name) => !known.has(name)) ||
    fields.some((name) => !name.endsWith('?') && given[name] === undefined)
  if (isFaulty) throw new TypeError(`not as declared, at ${String(at)}: ${JSON.stringify(entry)}`)
}
