import { stripVTControlCharacters } from 'node:util'
import { hasWarehouse } from '../../../platform/deps.ts'
import { ConfigError } from '../../../platform/errors.ts'
import { readLakeHistory } from '../../../platform/inspect/lake-history.ts'
import { totalOf } from '../../../platform/presentation/worth.ts'
import type { Fact } from '../../../platform/project/model.ts'
import {
  checkFactKey,
  type FactHistory,
  type FactVersion,
  findFact,
  isEnd,
  readHistory,
} from '../../../platform/presentation/history.ts'
import { readNamesInUse } from '../../../platform/presentation/names.ts'
import { openWarehouse } from '../../../platform/warehouse/warehouse.ts'
import { type Environment, openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { formatMoment, formatNumber } from '../../format.ts'
import type { Output } from '../output.ts'
import type { ToldHistory } from '../results.ts'
import { tellChanges, tellContent, type TellingContext } from '../told-version.ts'

/**
 * `tidemark history TABLE KEY`: prints every version of one fact, oldest first. Throws `ConfigError`
 * (`UNKNOWN_KEY`) if there is none.
 */
export async function historyCommand(
  { output, config, given, signal }: CommandContext,
  { table, key }: { table: string; key: string },
): Promise<number> {
  const values = key.split(',')
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    signal,
    check: (project) => checkFactKey(findFact(project, table), values),
  })
  const { project } = environment.deps
  const fact = findFact(project, table)
  const { history, names } = await readTold(environment, fact, values)
  const last = history.versions.at(-1)
  if (last === undefined) throw unknownKey(fact, key)
  const context = { fact, names }
  output.conclude({ event: 'history', ...history, ...describeForMachines(history, context) })
  const title = output.style('bold', capitalized(`${fact.from.replaceAll('_', ' ')} ${key}`))
  const state =
    last.operation === 'delete'
      ? output.style('red', `DELETED in ${project.title}`)
      : last.operation === 'leave'
        ? output.style('red', `LEFT ${fact.table}: its model no longer selects it`)
        : formatNumber(history.versions.length, 'version')
  output.print(`  ${[title, history.headline, state].filter(Boolean).join('   ')}\n`)
  for (const [index, version] of history.versions.entries()) {
    output.print(
      describeVersion(output, version, { ...context, before: history.versions[index - 1] }),
    )
  }
  output.print("\n  Times are UTC and say when a change was captured, by the source's clock.")
  return EXIT.done
}

/** The versions of a fact with the names that people read; from the lake if there is nothing else. */
async function readTold(
  { deps, reader }: Environment,
  fact: Fact,
  key: readonly string[],
): Promise<{ history: FactHistory; names: TellingContext['names'] }> {
  if (!hasWarehouse(deps)) {
    return { history: await readLakeHistory(deps, fact, key), names: new Map() }
  }
  await using warehouse = await openWarehouse(reader)
  const history = await readHistory(warehouse, fact, key)
  const { versions } = history
  const names = await readNamesInUse(warehouse, { project: deps.project, fact, versions })
  return { history, names }
}

/** The names and the totals that people read, for programs. */
function describeForMachines(
  { versions }: FactHistory,
  context: TellingContext,
): Pick<ToldHistory, 'names' | 'totals'> {
  return {
    names: Object.fromEntries(
      [...context.names].map(([column, things]) => [
        column,
        Object.fromEntries([...things].map(([id, { name }]) => [id, name])),
      ]),
    ),
    totals: versions.map((version) => totalOf(version, context) ?? null),
  }
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function unknownKey({ from }: Fact, key: string): ConfigError {
  return new ConfigError(
    `There is no version of ${from} ${key}: no run has seen it, or it was refused`,
    { code: 'UNKNOWN_KEY', hint: 'tidemark status' },
  )
}

function describeVersion(
  output: Output,
  version: FactVersion,
  { before, ...context }: TellingContext & { before: FactVersion | undefined },
): string {
  const words = { insert: 'created', update: 'changed', delete: 'deleted', leave: 'left' } as const
  const styles = { insert: 'green', update: 'yellow', delete: 'red', leave: 'red' } as const
  const word = output.style(styles[version.operation], words[version.operation])
  const head = `  v${version.version}  ${formatMoment(version.validFrom)}  batch ${version.batch}  ${word}   `
  const parts =
    version.operation === 'update' && before !== undefined
      ? tellChanges(version, before, context)
      : tellContent(version, context)
  const intro = isEnd(version) ? '(last values) ' : ''
  return join(parts, { head: head + intro, columns: output.columns })
}

/** Joins parts by dots after a head. Where a line is full, goes on below with an indent. */
function join(
  parts: readonly string[],
  { head, columns }: { head: string; columns: number },
): string {
  const lines = [head + (parts[0] ?? 'in no column of the warehouse')]
  for (const part of parts.slice(1)) {
    const line = `${lines.at(-1)} · ${part}`
    if (stripVTControlCharacters(line).length <= columns) lines[lines.length - 1] = line
    else lines.push(`      ${part}`)
  }
  return lines.join('\n')
}
