import { stripVTControlCharacters } from 'node:util'
import { hasWarehouse } from '../../../platform/deps.ts'
import { ConfigError } from '../../../platform/errors.ts'
import { readLakeHistory } from '../../../platform/inspect/lake-history.ts'
import { totalOf } from '../../../platform/presentation/worth.ts'
import type { Fact } from '../../../platform/project/model.ts'
import type { Project } from '../../../platform/project/project.ts'
import {
  checkFactKey,
  type FactHistory,
  type FactVersion,
  findFact,
  isEnd,
  readHistory,
  upTo,
} from '../../../platform/presentation/history.ts'
import { own } from '../../../platform/project/named-record.ts'
import { readNamesInUse } from '../../../platform/presentation/names.ts'
import { openWarehouse } from '../../../platform/warehouse/warehouse.ts'
import { type Environment, openEnvironment } from '../../environment.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { formatMoment, formatNumber } from '../../format.ts'
import type { Output } from '../output.ts'
import type { ToldHistory } from '../results.ts'
import { parseKey } from '../told-key.ts'
import { tellChanges, tellContent, tellFully, type TellingContext } from '../told-version.ts'
import { versionsAsCsv } from '../version-csv.ts'

/** What to show, and how. */
interface HistoryInput {
  readonly table: string
  readonly key: string
  /** ISO 8601 UTC with microseconds. */
  readonly asOf: string | undefined
  readonly full: boolean
  readonly csv: boolean
}

/**
 * `tidemark history TABLE KEY`: prints every version of one fact, oldest first, or those up to a
 * moment. Throws `ConfigError` (`UNKNOWN_KEY`) if there never was one, and (`USAGE`) if both CSV and
 * JSON are asked for.
 */
export async function historyCommand(
  { output, config, given, signal }: CommandContext,
  { table, key, asOf, full, csv }: HistoryInput,
): Promise<number> {
  if (csv && output.isJson) throw twoForms()
  const keyOf = (project: Project, fact: Fact) =>
    isNumbered(project, fact) ? key.split(',') : parseKey(key, fact.key.length)
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    signal,
    check(project) {
      const fact = findFact(project, table)
      checkFactKey(fact, keyOf(project, fact))
    },
  })
  const { project } = environment.deps
  const fact = findFact(project, table)
  const { history: whole, names } = await readTold(environment, fact, keyOf(project, fact))
  if (whole.versions.length === 0) throw unknownKey(fact, key)
  const history = asOf === undefined ? whole : upTo(whole, asOf)
  const context = { fact, names }
  const then = asOf === undefined ? undefined : stateAt(history, { whole, asOf })
  output.conclude({
    event: 'history',
    ...history,
    ...describeForMachines(history, context),
    ...(then && { asOf: then.asOf, existed: then.existed }),
  })
  if (csv) {
    output.write(versionsAsCsv(fact, { columns: whole.versions[0], versions: history.versions }))
    return EXIT.done
  }
  const title = output.style('bold', capitalized(`${fact.from.replaceAll('_', ' ')} ${key}`))
  const state = then === undefined ? describeState(output, history, { project, fact }) : then.words
  output.print(`  ${[title, history.headline, state].filter(Boolean).join('   ')}\n`)
  for (const [index, version] of history.versions.entries()) {
    const before = history.versions[index - 1]
    output.print(describeVersion(output, version, { ...context, before, full }))
  }
  output.print("\n  Times are UTC and say when a change was captured, by the source's clock.")
  return EXIT.done
}

/** Whether a fact's key is one number, as the contract says: then a comma parts it from a second one. */
function isNumbered({ source }: Project, { from, key }: Fact): boolean {
  const [column = '', ...others] = key
  const wanted = own(source.tables.find(({ name }) => name === from)?.columns, column)
  const type = typeof wanted === 'object' ? wanted.type : wanted
  return others.length === 0 && /^(smallint|integer|bigint|numeric)/.test(type ?? '')
}

function twoForms(): ConfigError {
  return new ConfigError('--csv and --json ask for two forms of the same answer', {
    code: 'USAGE',
    hint: 'give one of them; --json has every column too',
  })
}

/** What became of a fact, in its title. */
function describeState(
  output: Output,
  { versions }: FactHistory,
  { project, fact }: { project: Project; fact: Fact },
): string {
  const last = versions.at(-1)?.operation
  if (last === 'delete') return output.style('red', `DELETED in ${project.title}`)
  if (last === 'leave') {
    return output.style('red', `LEFT ${fact.table}: its model no longer selects it`)
  }
  return formatNumber(versions.length, 'version')
}

/** Whether a fact existed at a moment, for programs and in its title. */
function stateAt(
  { versions }: FactHistory,
  { whole, asOf }: { whole: FactHistory; asOf: string },
): { asOf: string; existed: boolean; words: string } {
  const last = versions.at(-1)
  const existed = last !== undefined && !isEnd(last)
  const later = whole.versions[versions.length]
  const first =
    later === undefined ? '' : `; its first version is of ${tellMoment(later.validFrom)}`
  const words = existed
    ? 'existed, as the last version here shows'
    : last === undefined
      ? `did not exist yet${first}`
      : `did not exist any more: ${last.operation === 'leave' ? 'its model did not select it' : 'it was deleted'}`
  return { asOf, existed, words: `as of ${tellMoment(asOf)} UTC it ${words}` }
}

/** A moment with its microseconds, by which versions differ: `2026-11-20 10:41:05.123456`. */
function tellMoment(moment: string): string {
  return moment.replace('T', ' ').replace('Z', '')
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
  { before, full, ...context }: TellingContext & { before: FactVersion | undefined; full: boolean },
): string {
  const words = { insert: 'created', update: 'changed', delete: 'deleted', leave: 'left' } as const
  const styles = { insert: 'green', update: 'yellow', delete: 'red', leave: 'red' } as const
  const word = output.style(styles[version.operation], words[version.operation])
  const head = `  v${version.version}  ${formatMoment(version.validFrom)}  batch ${version.batch}  ${word}   `
  const intro = isEnd(version) ? '(last values) ' : ''
  if (full) {
    const mark = (line: string) => output.style('yellow', line)
    return [`${head}${intro}`.trimEnd(), ...tellFully(version, { ...context, mark })].join('\n')
  }
  const parts =
    version.operation === 'update' && before !== undefined
      ? tellChanges(version, before, context)
      : tellContent(version, context)
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
