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

/**
 * When a process began. Undefined if no process has that number, or if the process has ended and its
 * parent has not yet asked how: in a container without an init it stays so for good.
 */
async function beginOf(pid: number): Promise<string | undefined> {
  try {
    if (process.platform !== 'linux') {
      const { stdout } = await run('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
        env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
      })
      return /^\s*[^Z\s]\S*\s+(.*\S)\s*$/.exec(stdout)?.[1]
    }
    // Fields 3 and 22 in proc(5), counted from the end of the name, which may contain spaces and
    // brackets.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}
