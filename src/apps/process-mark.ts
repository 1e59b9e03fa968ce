import { execFile } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Identifies one process for good. Its number alone may go to another process once it has ended.
 */
export interface ProcessMark {
  readonly pid: number
  /** When it began, as the system says. Two processes with one number differ in this. */
  readonly began: string
  /** The machine since its last start, and the part of it that shares process numbers. */
  readonly place: string
}

/** Marks a process on this machine, by default this one. */
export async function markProcess(pid = process.pid): Promise<ProcessMark> {
  return { pid, began: (await beginOf(pid)) ?? '', place: placeHere() }
}

/** Whether a marked process lives. Undefined if only another machine or container can tell. */
export async function isAlive({ pid, began, place }: ProcessMark): Promise<boolean | undefined> {
  if (place !== placeHere()) return undefined
  return (await beginOf(pid)) === began
}

function placeHere(): string {
  if (process.platform !== 'linux') return hostname()
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return `${hostname()}/${bootId}/${readlinkSync('/proc/self/ns/pid')}`
}

/** When a process began; undefined if no process has that number. */
async function beginOf(pid: number): Promise<string | undefined> {
  try {
    if (process.platform !== 'linux') {
      const { stdout } = await run('ps', ['-o', 'lstart=', '-p', String(pid)], {
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
      })
      return stdout.trim()
    }
    // Field 22 in proc(5), counted from the end of the name, which may contain spaces and brackets.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
