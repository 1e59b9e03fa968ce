import { randomUUID } from 'node:crypto'
import * as fs from 'node:fs'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { isAlive, markProcess, type ProcessMark } from '../process-mark.ts'

/** A sign of life, as the file in the home holds it. */
interface Beat extends ProcessMark {
  /** When it was given (ISO 8601). */
  readonly at: string
  readonly host: string
  /** The command that runs. */
  readonly command: string
  /** When the process ended on purpose. */
  readonly endedAt?: string
}

/** The last sign of life of the process that should run. */
export interface Pulse {
  readonly at: string
  readonly ageMs: number
  readonly pid: number
  /** The machine that it ran on. */
  readonly place: string
  readonly command: string
  /** When it ended on purpose; undefined while it should run. */
  readonly endedAt: string | undefined
  /** Whether the process should run and does not. */
  readonly isMissing: boolean
  /** Where the sign of life lies. */
  readonly file: string
}

const FILE = 'heartbeat.json'
/** Between two runs, and while a run takes long, a sign of life is given this often. */
const EVERY_MS = 15_000
/** Runs that follow each other faster than this share a sign of life. */
const SPARE_MS = 1000
/** After four signs of life that did not come, a process counts as missing. */
export const MISSED_MS = 4 * EVERY_MS

/** Gives signs of life until it is disposed of. */
export interface Heartbeat extends Disposable {
  /** Gives one after a run, at most once a second. */
  beat(): void
}

/**
 * Gives a sign of life now, and every 15 seconds from now on, in a file in the home that is replaced
 * as a whole: of several processes with one home, the last to write is heard. Once `signal` is
 * aborted, the file says that the process ended on purpose. Never throws: `onFailure` gets the first
 * error, and the file stays as it was.
 */
export async function startHeartbeat(
  home: string,
  {
    command,
    signal,
    onFailure,
  }: { command: string; signal: AbortSignal; onFailure: (error: unknown) => void },
): Promise<Heartbeat> {
  const file = resolve(home, FILE)
  const mark = await markProcess()
  let lastAt = 0
  let hasFailed = false
  const write = (more: Partial<Beat> = {}): void => {
    const now = new Date()
    lastAt = now.getTime()
    const beat: Beat = { ...mark, at: now.toISOString(), host: hostname(), command, ...more }
    try {
      fs.mkdirSync(home, { recursive: true, mode: 0o711 })
      replace(file, JSON.stringify(beat))
      hasFailed = false
    } catch (error) {
      if (!hasFailed) onFailure(error)
      hasFailed = true
    }
  }
  const end = (): void => write({ endedAt: new Date().toISOString() })
  const timer = setInterval(() => {
    if (!signal.aborted) write()
  }, EVERY_MS).unref()
  if (signal.aborted) end()
  else write()
  signal.addEventListener('abort', end, { once: true })
  return {
    beat() {
      if (!signal.aborted && Date.now() - lastAt >= SPARE_MS) write()
    },
    [Symbol.dispose]() {
      clearInterval(timer)
      signal.removeEventListener('abort', end)
    },
  }
}

function replace(file: string, text: string): void {
  const draft = `${file}.${randomUUID()}`
  try {
    fs.writeFileSync(draft, text, { mode: 0o640 })
    fs.renameSync(draft, file)
  } catch (error) {
    fs.rmSync(draft, { force: true })
    throw error
  }
}

/**
 * Reads the last sign of life. A process is missing if it did not end on purpose, and has either ended
 * (as this machine can tell) or given no sign of life for a minute. Undefined if there never was one.
 */
export async function readPulse(home: string, now: Date): Promise<Pulse | undefined> {
  const file = resolve(home, FILE)
  const beat = readBeat(file)
  if (beat === undefined) return undefined
  const { at, pid, host, command, endedAt } = beat
  const ageMs = Math.max(0, now.getTime() - Date.parse(at))
  const isGone = endedAt === undefined && (await isAlive(beat)) === false
  const isMissing = endedAt === undefined && (isGone || ageMs > MISSED_MS)
  return { at, ageMs, pid, place: host, command, endedAt, isMissing, file }
}

/** Undefined if there is none, or if it is not one of ours. */
function readBeat(file: string): Beat | undefined {
  try {
    const beat = JSON.parse(fs.readFileSync(file, 'utf8')) as Beat
    return Number.isNaN(Date.parse(beat.at)) ? undefined : beat
  } catch {
    return undefined
  }
}
