import { isEmptyPlan, type Plan, planNextRun } from '../../../platform/inspect/plan.ts'
import type { PlannedTable } from '../../../platform/inspect/planned-tables.ts'
import { identifier } from '../../../platform/io/sql.ts'
import type { RelationAction } from '../../../platform/warehouse/relation-difference.ts'
import { openEnvironment } from '../../environment.ts'
import { formatNumber, formatTable } from '../../format.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import type { Output } from '../output.ts'

/** `tidemark plan`: what the next run would do to the tables of the warehouse. */
export async function planCommand(
  { output, config, given, signal }: CommandContext,
  { sql }: { sql: boolean },
): Promise<number> {
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    signal,
  })
  const { deps } = environment
  const plan = await planNextRun(deps)
  const statements = sql ? plan.statements : []
  output.conclude({ event: 'planned', isEmpty: isEmptyPlan(plan), ...plan, statements })
  if (sql) printSql(output, plan, deps.warehouse.schema)
  else printPlan(output, plan)
  return EXIT.done
}

/** Words for what happens to a relation. */
const ACTIONS: Readonly<Record<RelationAction, string>> = {
  create: 'created',
  anew: 'made anew',
  change: 'changed',
  drop: 'dropped',
}

const EMPTY = 'Nothing to plan: the next run changes no table of the warehouse.'

function printPlan(output: Output, plan: Plan): void {
  if (plan.isLakeOnly) {
    output.print('  Nothing to plan: there is a lake and no warehouse.')
    output.advise('  Next: set TIDEMARK_WAREHOUSE_URL, or let tidemark up make a warehouse here')
    return
  }
  printDoubts(output, plan)
  if (plan.migrations.length > 0) {
    output.print(`  ${output.style('bold', 'migrations')}   ${plan.migrations.join(', ')}`)
  }
  const created = plan.tables.filter(({ action }) => action === 'create')
  const isLong = created.length > MAX_CREATED
  for (const table of plan.tables) {
    if (!isLong || table.action !== 'create') printTable(output, table)
  }
  if (isLong) printCreated(output, created)
  for (const action of Object.keys(ACTIONS) as RelationAction[]) {
    const names = plan.others.filter((each) => each.action === action).map(({ name }) => name)
    if (names.length > 0)
      output.print(`  ${ACTIONS[action]}, not from a model: ${names.join(', ')}`)
  }
  printLeftAlone(output, plan)
  printGeneration(output, plan)
  if (isEmptyPlan(plan)) {
    if (plan.notRehearsed === undefined && plan.unknown.length === 0) output.print(`  ${EMPTY}`)
    return
  }
  const sql = plan.statements.length > 0 ? ' · every statement: tidemark plan --sql' : ''
  output.advise(`\n  Nothing was changed.   Next: tidemark run${sql}`)
}

/** If more tables are created, each is one line. */
const MAX_CREATED = 20

function printCreated(output: Output, tables: readonly PlannedTable[]): void {
  const rows = tables.map(({ table, kind, added, addedKeys }) => [
    table,
    kind,
    formatNumber(added.length, 'column'),
    formatNumber(addedKeys.length, 'key'),
  ])
  const list = formatTable(['created', '', '', ''], rows)
  output.print(list.replaceAll(/^/gm, '  '))
}

/** What the plan could not look at. */
function printDoubts(output: Output, { notRead, notRehearsed, unknown }: Plan): void {
  const warn = (text: string) => output.print(output.style('yellow', `  ! ${text}`))
  if (notRead !== undefined) warn(`${notRead}. Its tables are planned as they were captured last.`)
  if (notRehearsed !== undefined) {
    const { detail, hint } = notRehearsed
    warn(
      `Nothing was rehearsed: ${detail}. This plan only compares definitions: it has no keys and no statements.`,
    )
    if (hint !== undefined) output.advise(`    Next: ${hint}`)
  }
  if (unknown.length > 0) warn(`Columns not known before the source is read: ${unknown.join(', ')}`)
}

function printTable(output: Output, planned: PlannedTable): void {
  const { table, kind, madeBy, action, history, comments } = planned
  const title = output.style('bold', table)
  const by = madeBy === 'model' ? '' : ', by a migration'
  output.print(`  ${title}   ${kind}   ${ACTIONS[action]}${by}`)
  const added = (text: string) => output.print(output.style('green', `    + ${text}`))
  const dropped = (text: string) => output.print(output.style('red', `    - ${text}`))
  const changed = (text: string) => output.print(output.style('yellow', `    ~ ${text}`))
  for (const { name, type, nullable } of planned.added) {
    added(`${name} ${type}${nullable ? '' : ' not null'}`)
  }
  for (const { name, from, to } of planned.retyped) changed(`${name} ${from} → ${to}`)
  for (const name of planned.required) changed(`${name} not null`)
  for (const name of planned.optional) changed(`${name} may be null`)
  for (const name of planned.dropped) dropped(name)
  for (const key of planned.addedKeys) added(key)
  for (const key of planned.droppedKeys) dropped(key)
  if (planned.addedIndexes.length > 0) added(`indexes: ${planned.addedIndexes.join(', ')}`)
  if (planned.droppedIndexes.length > 0) dropped(`indexes: ${planned.droppedIndexes.join(', ')}`)
  if (history.length > 0) added(`history: ${history.join(', ')}`)
  if (comments > 0) changed(formatNumber(comments, 'description'))
}

function printLeftAlone(output: Output, { byHand, retired }: Plan): void {
  if (byHand.length > 0) {
    output.print(`  by hand: ${byHand.join(', ')}   stay as a migration made them`)
  }
  if (retired.length > 0) {
    output.print(
      `  retired: ${retired.join(', ')}   no model makes them any more; they stay until somebody drops them`,
    )
  }
}

function printGeneration(output: Output, { generation }: Plan): void {
  if (generation === undefined) return
  const { batches, rows, why } = generation
  const held = rows === undefined ? '' : `, ${formatNumber(rows, 'row')} now`
  const what = `all content is loaded again from the lake: ${formatNumber(batches, 'batch', 'batches')}${held}`
  output.print(`  ${output.style('bold', 'new generation')}   ${what}`)
  for (const reason of why) output.print(output.style('yellow', `    ~ ${reason}`))
}

/** The statements as a script that somebody can review, or run as the owner of the tables. */
function printSql(output: Output, plan: Plan, schema: string): void {
  const { statements, generation, notRehearsed } = plan
  if (statements.length === 0) {
    const why =
      notRehearsed?.detail ?? (plan.isLakeOnly ? 'there is no warehouse' : 'nothing to do')
    output.advise(`-- ${why}`)
    return
  }
  const head =
    generation === undefined
      ? []
      : [
          '-- A run does this in the transaction that loads all content again. Run by hand, it leaves',
          '-- the tables without rows until the next run.',
        ]
  const isNew = statements[0]?.startsWith('create schema') === true
  const [first, rest] = isNew ? [statements.slice(0, 1), statements.slice(1)] : [[], statements]
  const body = [`set local search_path = ${identifier(schema)};`, ...rest]
  output.advise([...head, 'begin;', ...first, ...body, 'commit;'].join('\n'))
}
