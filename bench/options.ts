import { parseArgs } from 'node:util'
import { GATE_ORDERS } from './gate.ts'

/** In this order. Those after `extract` work on the same filled lake and warehouse. */
export const PARTS = [
  'feeds',
  'small',
  'first_load',
  'extract',
  'bulk_change',
  'runs',
  'every',
  'pages',
  'verify',
  'start',
  'dimensions',
] as const
export type Part = (typeof PARTS)[number]
const GATE_PARTS: readonly Part[] = ['first_load', 'extract', 'bulk_change']

/** What the bench is asked to do. */
export interface BenchOptions {
  readonly orders: number
  readonly repetitions: number
  /** For how long changes are made while `run --every 1s` works. */
  readonly seconds: number
  /** The parts to measure. */
  readonly parts: readonly Part[]
  readonly linear: boolean
  readonly tenfold: boolean
  readonly peers: boolean
  readonly gate: boolean
  readonly json: boolean
  readonly record: boolean
}

/** What to print instead of measuring, and the exit code. */
export interface BenchUsage {
  readonly usage: string
  readonly exitCode: 0 | 2
}

export const USAGE = `Usage: npm run bench -- [options]

Measures what Tidemark costs on this machine. Starts its own databases, and removes everything.

Options:
  --orders <count>       Sales orders in the source, at least 1000 (default: 1000000, or
                         ${GATE_ORDERS} with --gate). feeds, small and dimensions have their own size.
  --only <part>          Measures this part alone; may be repeated. The parts:
                         ${PARTS.slice(0, 6).join(', ')},
                         ${PARTS.slice(6).join(', ')}
  --repetitions <count>  Rounds in which contenders take turns (default: 3)
  --seconds <count>      How long the part every works (default: 90)
  --linear               The first load at five times the orders too
  --tenfold              The first load at ten times the orders too
  --peers                Other ways to the same tables take their turns; needs Python
  --gate                 What CI runs: three parts, with limits that leave room for noise
  --json                 Write one JSON object a line to stdout
  --record               Keep the figures in docs/performance.json and docs/performance.md
  --help                 Show this help

Exits 0 if every bar is held, 1 if one is missed or something could not be measured, and 2 for a
wrong option.`

/** The bench's options from its arguments, or what to print instead. Pure. */
export function parseOptions(args: readonly string[]): BenchOptions | BenchUsage {
  try {
    return read(args)
  } catch (error) {
    const [message] = (error as Error).message.split('\n')
    return { usage: `${message}\n  Next: npm run bench -- --help`, exitCode: 2 }
  }
}

const OPTIONS = {
  orders: { type: 'string' },
  repetitions: { type: 'string', default: '3' },
  seconds: { type: 'string', default: '90' },
  only: { type: 'string', multiple: true },
  linear: { type: 'boolean', default: false },
  tenfold: { type: 'boolean', default: false },
  peers: { type: 'boolean', default: false },
  gate: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  record: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

function read(args: readonly string[]): BenchOptions | BenchUsage {
  const { values } = parseArgs({ args: [...args], options: OPTIONS })
  const { linear, tenfold, peers, gate, json, record, help, only } = values
  if (help) return { usage: USAGE, exitCode: 0 }
  if (gate && only !== undefined) throw new Error('--gate has parts of its own: leave out --only')
  return {
    orders: wholeNumber('orders', values.orders ?? (gate ? GATE_ORDERS : 1_000_000), 1000),
    repetitions: wholeNumber('repetitions', values.repetitions, 1),
    seconds: wholeNumber('seconds', values.seconds, 1),
    parts: gate ? GATE_PARTS : (only?.map(partOf) ?? PARTS),
    linear,
    tenfold,
    peers,
    gate,
    json,
    record,
  }
}

function partOf(name: string): Part {
  const found = PARTS.find((part) => part === name)
  if (found !== undefined) return found
  throw new Error(`--only must be one of ${PARTS.join(', ')}; it is ${name}`)
}

function wholeNumber(name: string, text: string | number, least: number): number {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= least) return value
  throw new Error(`--${name} must be a whole number from ${least}; it is ${text}`)
}
