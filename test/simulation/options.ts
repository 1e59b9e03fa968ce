import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { BUGS } from './bugs.ts'

/** What the simulation is asked to do. */
export interface SimulateOptions {
  /** Seed of the first history. Each further history has the next number. */
  readonly seed: number
  readonly steps: number
  readonly histories: number
  /** Name of a bug to plant. */
  readonly bug: string | undefined
  readonly jobs: number
  /** Whether to print each step of a history that fails, as it was before it was shrunk. */
  readonly trace: boolean
  readonly json: boolean
}

/** What to print instead of simulating, and the exit code. */
export interface SimulateUsage {
  readonly usage: string
  readonly exitCode: 0 | 2
}

export const USAGE = `Usage: npm run simulate -- [options]

Plays random histories of a database, of runs that overlap, and of faults, through the real extract,
transform and lake, and compares every batch with what was committed. A history that fails is
shortened, and can be played again by its seed.

Options:
  --seed <number>        Seed of the first history (default: a random one, which is printed)
  --steps <count>        Steps of a history, at least (default: 80)
  --histories <count>    How many histories, each with the next seed (default: 100)
  --bug <name>           Plant a known bug, to see that it is found. The bugs:
                         ${BUGS.map(({ name }) => name).join(', ')}
  --jobs <count>         Processes that play side by side (default: one for each processor)
  --trace                Print every step of a history that fails
  --json                 Write one JSON object a line to stdout
  --help                 Show this help

Exits 0 if no history fails, 1 if one does, and 2 for a wrong option. With --bug, exits 0 if the bug
is found.`

/** The options from the arguments, or what to print instead. */
export function parseOptions(args: readonly string[]): SimulateOptions | SimulateUsage {
  try {
    return read(args)
  } catch (error) {
    const [message] = (error as Error).message.split('\n')
    return { usage: `${message}\n  Next: npm run simulate -- --help`, exitCode: 2 }
  }
}

const OPTIONS = {
  seed: { type: 'string' },
  steps: { type: 'string', default: '80' },
  histories: { type: 'string', default: '100' },
  bug: { type: 'string' },
  jobs: { type: 'string' },
  trace: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

function read(args: readonly string[]): SimulateOptions | SimulateUsage {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  if (values.help) return { usage: USAGE, exitCode: 0 }
  const { bug, trace, json } = values
  if (bug !== undefined && !BUGS.some(({ name }) => name === bug)) {
    throw new Error(`--bug ${bug}: there is no such bug`)
  }
  return {
    seed: whole('--seed', values.seed ?? String(Math.floor(Math.random() * 1_000_000)), 0),
    steps: whole('--steps', values.steps, 1),
    histories: whole('--histories', values.histories, 1),
    jobs: whole('--jobs', values.jobs ?? String(availableParallelism()), 1),
    bug,
    trace,
    json,
  }
}

function whole(option: string, text: string, min: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value < 2 ** 32) return value
  throw new Error(`${option} ${text}: give a whole number from ${min}`)
}
