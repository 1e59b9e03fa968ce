import { createRandom, type Random } from './random.ts'
import { TABLES, type TableName } from './database.ts'

/** What a step of a process may meet: nothing, an error before or after its effect, or its end. */
export type Outcome = 'done' | 'fails' | 'fails after' | 'killed' | 'killed after'

/** One step of a history. Each is possible in every state: one that makes no sense does nothing. */
export type Step =
  | { readonly do: 'begin' | 'commit' | 'rollback' | 'savepoint'; readonly tx: number }
  | { readonly do: 'rollback to savepoint' | 'prepare'; readonly tx: number }
  | { readonly do: 'write'; readonly tx: number; readonly write: WriteStep }
  | { readonly do: 'truncate' | 'attach' | 'detach'; readonly table: TableName }
  | {
      readonly do: 'alter'
      readonly table: TableName
      readonly column: string
      readonly value: string | null
    }
  | { readonly do: 'spend xids'; readonly count: number }
  | { readonly do: 'checkpoint' | 'restart' | 'backup' | 'restore' | 'read primary' }
  | { readonly do: 'failover' | 'read standby'; readonly lag: number }
  | { readonly do: 'start' | 'finish'; readonly process: number }
  | {
      readonly do: 'go on'
      readonly process: number
      readonly steps: number
      readonly outcome: Outcome
    }
  | { readonly do: 'copy lake' | 'put lake back' }
  | { readonly do: 'put another lake there'; readonly batches: number }

/** A row to write. `silent`: the row's own timestamp stays. */
export interface WriteStep {
  readonly table: TableName
  readonly key: string
  readonly how: 'insert' | 'update' | 'silent' | 'touch' | 'delete' | 'rekey'
  readonly value: number
}

const TRANSACTIONS = 4
const PROCESSES = 3
const KEYS = 12

/** The steps of a history that follow from a seed, at least `count`. */
export function makeHistory(seed: number, count: number): Step[] {
  const random = createRandom(seed)
  // Each history has a temper: some are mostly writes, some mostly runs and faults.
  const busy = 1 + random.below(8)
  const faulty = random.below(5)
  const odd = random.below(6)
  const steps: Step[] = []
  while (steps.length < count) {
    const scene = random.weighted<() => Step[]>([
      [4 * busy, () => someTransaction(random)],
      [2 * busy, () => [transactionStep(random)]],
      [8, () => [{ do: 'start', process: random.below(PROCESSES) }]],
      [10, () => [goOn(random, faulty)]],
      [2 * faulty, () => brokenRun(random)],
      [6, () => wholeRun(random)],
      [odd, () => [serverStep(random)]],
      [odd, () => someLoss(random)],
    ])
    steps.push(...scene())
  }
  return steps
}

function wholeRun(random: Random): Step[] {
  const process = random.below(PROCESSES)
  return [
    { do: 'start', process },
    { do: 'finish', process },
  ]
}

/** A run that goes well for a while, and then meets a fault. */
function brokenRun(random: Random): Step[] {
  const process = random.below(PROCESSES)
  const outcome = random.pick<Outcome>(['fails', 'fails after', 'killed', 'killed after'])
  return [
    { do: 'start', process },
    { do: 'go on', process, steps: random.below(16), outcome: 'done' },
    { do: 'go on', process, steps: 1, outcome },
  ]
}

/** Something that was kept is put back, after life went on. */
function someLoss(random: Random): Step[] {
  const between = () => [
    ...someTransaction(random),
    ...wholeRun(random),
    ...someTransaction(random),
  ]
  const overtakes: Step[] = random.chance(60) ? [{ do: 'spend xids', count: 100 }] : []
  return random.pick<() => Step[]>([
    () => [{ do: 'backup' }, ...between(), { do: 'restore' }, ...overtakes, ...wholeRun(random)],
    () => [...between(), { do: 'failover', lag: 1 + random.below(3) }, ...overtakes],
    () => [{ do: 'copy lake' }, ...between(), { do: 'put lake back' }, ...wholeRun(random)],
    () => [
      { do: 'copy lake' },
      ...between(),
      { do: 'put another lake there', batches: random.below(3) },
      ...wholeRun(random),
      { do: 'put lake back' },
    ],
  ])()
}

/** A whole small transaction, or the beginning of one that stays open. */
function someTransaction(random: Random): Step[] {
  const tx = random.below(TRANSACTIONS)
  const writes = Array.from({ length: 1 + random.below(3) }, (): Step => ({
    do: 'write',
    tx,
    write: writeStep(random),
  }))
  const end = random.weighted<readonly Step[]>([
    [7, [{ do: 'commit', tx }]],
    [1, [{ do: 'rollback', tx }]],
    [3, []],
  ])
  return [{ do: 'begin', tx }, ...writes, ...end]
}

function writeStep(random: Random): WriteStep {
  return {
    table: random.chance(65) ? 'orders' : 'customers',
    key: String(1 + random.below(KEYS)),
    how: random.weighted([
      [5, 'insert'],
      [4, 'update'],
      [3, 'silent'],
      [1, 'touch'],
      [3, 'delete'],
      [1, 'rekey'],
    ]),
    value: random.below(4),
  }
}

function transactionStep(random: Random): Step {
  const tx = random.below(TRANSACTIONS)
  return random.weighted<Step>([
    [5, { do: 'commit', tx }],
    [2, { do: 'rollback', tx }],
    [2, { do: 'savepoint', tx }],
    [2, { do: 'rollback to savepoint', tx }],
    [1, { do: 'prepare', tx }],
    [4, { do: 'write', tx, write: writeStep(random) }],
  ])
}

function goOn(random: Random, faulty: number): Step {
  const outcome = random.weighted<Outcome>([
    [12, 'done'],
    [faulty, 'fails'],
    [faulty, 'fails after'],
    [faulty, 'killed'],
    [faulty, 'killed after'],
  ])
  const steps = outcome === 'done' ? 1 + random.below(8) : 1
  return { do: 'go on', process: random.below(PROCESSES), steps, outcome }
}

function serverStep(random: Random): Step {
  const table = random.pick(TABLES)
  return random.weighted<Step>([
    [2, { do: 'truncate', table }],
    [2, { do: 'detach', table }],
    [3, { do: 'attach', table }],
    [2, { do: 'alter', table, column: 'note', value: random.pick([null, 'x']) }],
    [1, { do: 'alter', table: 'orders', column: 'units', value: null }],
    [1, { do: 'spend xids', count: random.pick([100, 2 ** 31 - 500_000]) }],
    [1, { do: 'checkpoint' }],
    [1, { do: 'restart' }],
    [2, { do: 'backup' }],
    [2, { do: 'restore' }],
    [1, { do: 'failover', lag: random.below(4) }],
    [1, { do: 'read standby', lag: random.below(4) }],
    [2, { do: 'read primary' }],
  ])
}
