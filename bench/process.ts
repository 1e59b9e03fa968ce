import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import type { Place } from './deps.ts'
import { atEnd, isStopped } from './ending.ts'
import type { KeysAndIndexes } from './star-catalogue.ts'
import type { OwnUse } from './usage.ts'

/** What a process of its own is to do. Comes on standard input, for it holds passwords. */
export interface Errand {
  readonly what:
    | 'run'
    | 'extract'
    | 'verify'
    | 'collect'
    | 'transform'
    | 'raw_load'
    | 'raw_load_one_copy'
    | 'raw_extract'
    | 'raw_change'
  readonly place: Place
  /** What a raw load puts back. */
  readonly rebuild?: KeysAndIndexes
  /** The moment from which a raw change carries rows. */
  readonly since?: string
}

/** What an errand tells of its own process. */
export interface ErrandReport {
  /** Of the work, without the start of Node. */
  readonly workMs: number
  readonly cpuS: number
  readonly maxRssMb: number
}

/** Runs an errand in a new Node process, whose time and memory are those of this errand alone. */
export async function inChild(errand: Errand): Promise<OwnUse & ErrandReport> {
  const entry = new URL('./errand.js', import.meta.url).pathname
  const { ms, output } = await runProcess(process.execPath, {
    args: [entry],
    input: JSON.stringify(errand),
  })
  return { ...(JSON.parse(output) as ErrandReport), ms }
}

/** A program to run to its end. */
export interface ProcessOptions {
  readonly args: readonly string[]
  readonly input?: string
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string | undefined>>
}

/** How a program ended that ended well. */
export interface Ended {
  /** From its start to its end. */
  readonly ms: number
  readonly output: string
}

/** Runs a program. Throws with the end of what it wrote unless it exits with 0. */
export async function runProcess(
  program: string,
  { args, input = '', cwd, env = process.env }: ProcessOptions,
): Promise<Ended> {
  if (isStopped()) throw new Error('the bench was stopped')
  const startedAt = performance.now()
  // In a group of its own, so that stopping reaches what it has started.
  const child = spawn(program, args, { cwd, env, stdio: 'pipe', detached: true })
  const kill = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
  }
  const forget = atEnd(async () => kill())
  child.stdin.on('error', () => {}) // it may end without reading
  child.stdin.end(input)
  try {
    const [output, errors, [code]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit') as Promise<[number | null]>,
    ])
    const ms = performance.now() - startedAt
    if (code === 0) return { ms, output }
    const end = `${output}\n${errors}`.trim().split('\n').slice(-12).join('\n')
    throw new Error(`${program.split('/').at(-1)} ended with ${code}: ${end}`)
  } finally {
    forget()
  }
}
