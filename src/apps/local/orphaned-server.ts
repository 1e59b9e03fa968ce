import { execFile } from 'node:child_process'
import * as fs from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { ConfigError } from '../../platform/errors.ts'

const run = promisify(execFile)
const stopTimeoutMs = 30_000

/**
 * Stops the server of a cluster if the process that started it is gone. Never touches another
 * process. May be repeated. Throws `ConfigError` (`POSTGRES_IN_USE`) if the cluster is in use.
 */
export async function stopOrphan(cluster: string): Promise<void> {
  const lockFile = path.join(cluster, 'postmaster.pid')
  const pid = Number(readLine(lockFile, 0))
  const found = pid > 1 ? await processWith(pid) : undefined
  if (found === undefined) return
  const isOurs = found.command.includes(`postgres -D ${cluster} `)
  const isOrphan = found.parent !== Number(readLine(starterFile(cluster), 0))
  if (isOurs && isOrphan) {
    process.kill(pid, 'SIGINT')
    for (const end = Date.now() + stopTimeoutMs; Date.now() < end; await delay(20))
      if ((await processWith(pid)) === undefined) return
  }
  const isServer = /\/(postgres|postmaster)\s/.test(found.command)
  if (isOurs || (isServer && (found.folder ?? cluster) === cluster)) {
    throw new ConfigError(`${cluster} is in use by process ${isOrphan ? pid : found.parent}`, {
      code: 'POSTGRES_IN_USE',
      hint: 'stop that process first, or name another folder: --home <folder>',
    })
  }
  // Another program has this process id now. Postgres would refuse to start because of it.
  fs.rmSync(lockFile, { force: true })
}

/** The file beside a cluster with the id of the process that started its server. */
export const starterFile = (cluster: string): string =>
  path.join(path.dirname(cluster), 'starter.pid')

/** Reads one line of a small file, counted from 0; undefined if there is no such file or line. */
export function readLine(file: string, index: number): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8').split('\n')[index]?.trim()
  } catch {
    return undefined
  }
}

interface FoundProcess {
  parent: number
  command: string
  folder?: string
}

/** Finds what runs under a process id: in /proc on Linux (slim images lack ps), else with ps. */
async function processWith(pid: number): Promise<FoundProcess | undefined> {
  try {
    if (process.platform !== 'linux') {
      const { stdout } = await run('ps', ['-ww', '-o', 'stat=,ppid=,args=', '-p', String(pid)])
      const [, parent, command] = /^\s*[^Z\s]\S*\s+(\d+)\s+(.*)$/m.exec(stdout) ?? []
      return command === undefined ? undefined : { parent: Number(parent), command: `${command} ` }
    }
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (state === 'Z') return undefined
    const command = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    return { parent: Number(parent), command, ...workingFolder(pid) }
  } catch {
    return undefined
  }
}

function workingFolder(pid: number): { folder?: string } {
  try {
    return { folder: fs.readlinkSync(`/proc/${pid}/cwd`) }
  } catch {
    return {}
  }
}
