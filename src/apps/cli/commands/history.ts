import { ConfigError } from '../../../platform/errors.ts'
import type { Fact } from '../../../platform/project/model.ts'
import {
  checkFactKey,
  type FactVersion,
  findFact,
  readHistory,
} from '../../../platform/presentation/history.ts'
import { openWarehouse } from '../../../platform/warehouse/warehouse.ts'
import { openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { formatMoment, formatNumber } from '../../format.ts'
import type { Output } from '../output.ts'

/**
 * `tidemark history TABLE KEY`: prints every version of one fact, oldest first. Throws `ConfigError`
 * (`UNKNOWN_KEY`) if there is none.
 */
export async function historyCommand(
  { output, config, signal }: CommandContext,
  { table, key }: { table: string; key: string },
): Promise<number> {
  const values = key.split(',')
  await using environment = await openEnvironment({
    config,
    log: output.log,
    fill: false,
    mustExist: true,
    signal,
    check: (project) => checkFactKey(findFact(project, table), values),
  })
  const fact = findFact(environment.deps.project, table)
  await using warehouse = await openWarehouse(environment.reader)
  const history = await readHistory(warehouse, fact, values)
  const last = history.versions.at(-1)
  if (last === undefined) throw unknownKey(fact, key)
  output.emit({ event: 'history', ...history })
  const title = output.style('bold', `${fact.from} ${key}`)
  const state =
    last.operation === 'delete'
      ? output.style('red', `DELETED in ${environment.deps.project.title}`)
      : formatNumber(history.versions.length, 'version')
  output.print(`  ${[title, history.headline, state].filter(Boolean).join('   ')}\n`)
  for (const [index, version] of history.versions.entries()) {
    output.print(describeVersion(output, version, history.versions[index - 1]))
  }
  output.print("\n  Times are UTC and say when a change was captured, by the source's clock.")
  return EXIT.done
}

function unknownKey({ from }: Fact, key: string): ConfigError {
  return new ConfigError(
    `The warehouse has no version of ${from} ${key}: no run has seen it, or it was refused`,
    { code: 'UNKNOWN_KEY', hint: 'tidemark status' },
  )
}

function describeVersion(
  output: Output,
  version: FactVersion,
  before: FactVersion | undefined,
): string {
  const words = { insert: 'created', update: 'changed', delete: 'deleted' } as const
  const styles = { insert: 'green', update: 'yellow', delete: 'red' } as const
  const word = output.style(styles[version.operation], words[version.operation])
  const head = `  v${version.version}  ${formatMoment(version.validFrom)}  batch ${version.batch}  ${word}   `
  const isChange = version.operation === 'update' && before !== undefined
  const parts = isChange
    ? version.changed.map(
        (name) => `${name} ${show(before.values[name])} → ${show(version.values[name])}`,
      )
    : Object.entries(version.values).map(([name, value]) => `${name} ${show(value)}`)
  const intro = version.operation === 'delete' ? '(last values) ' : ''
  return head + intro + wrap(parts)
}

function show(value: string | undefined): string {
  return value === undefined ? '∅' : value
}

/** Joins parts by dots, and goes on below with an indent. */
function wrap(parts: readonly string[]): string {
  const lines: string[] = []
  for (const part of parts) {
    const line = lines.at(-1)
    if (line === undefined || line.length + part.length > 90) lines.push(part)
    else lines[lines.length - 1] = `${line} · ${part}`
  }
  return lines.join('\n      ')
}
