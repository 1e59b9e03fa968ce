import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { json } from 'node:stream/consumers'
import type { Place } from './deps.ts'

/** What a process of its own is to do. Comes on standard input, for it holds passwords. */
export interface Errand {
  readonly what: 'run' | 'verify' | 'collect' | 'transform'
  readonly place: Place
}

export interface ErrandReport {
  readonly ms: number
  readonly maxRssMb: number
}

/** Runs an errand in a new Node process, whose peak memory is that of this errand alone. */
export async function inChild(errand: Errand): Promise<ErrandReport> {
  const entry = new URL('./errand.js', import.meta.url)
  const child = spawn(process.execPath, [entry.pathname], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify(errand))
  const [report, [code]] = await Promise.all([
    json(child.stdout).catch(() => undefined) as Promise<ErrandReport | undefined>,
    once(child, 'exit') as Promise<[number | null]>,
  ])
  if (code !== 0 || report === undefined) throw new Error(`the ${errand.what} in a child failed`)
  return report
}
