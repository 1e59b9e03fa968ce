import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { claimHome } from './home-claim.ts'
import { isAlive, markProcess } from './process-mark.ts'

let folder: string
let home: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-claim-'))
  home = join(folder, 'home')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const afterThis: ChildProcess[] = []
afterEach(() => {
  for (const child of afterThis.splice(0)) child.kill()
})

const claimFile = () => join(home, 'up.json')

it('claimHome() gives a home to one process, and names its address to the next', async () => {
  const claim = await claimHome(home)
  await expect(claimHome(home)).rejects.toMatchObject({
    code: 'UP_RUNNING',
    message: `tidemark up already runs in ${home}, in process ${process.pid}`,
  })
  claim.announce('http://127.0.0.1:4100')
  await expect(claimHome(home)).rejects.toMatchObject({
    message: `tidemark up already runs in ${home}, at http://127.0.0.1:4100`,
    hint: expect.stringContaining('open http://127.0.0.1:4100') as string,
  })
  await claim[Symbol.asyncDispose]()
  const next = await claimHome(home)
  await next[Symbol.asyncDispose]()
})

it('claimHome() lets one of several that begin at once have the home', async () => {
  const claims = await Promise.allSettled(Array.from({ length: 8 }, () => claimHome(home)))
  expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(readdirSync(home)).toEqual(['up.json'])
})

it('claimHome() removes the home in the end if it made it and nothing came into it', async () => {
  await (await claimHome(home))[Symbol.asyncDispose]()
  expect(existsSync(home)).toBe(false)
  const claim = await claimHome(home)
  writeFileSync(join(home, 'kept'), '')
  await claim[Symbol.asyncDispose]()
  expect(readdirSync(home)).toEqual(['kept'])
})

it.each([
  ['a process that has ended', async () => JSON.stringify(await endedProcess())],
  ['a process that was killed and not collected', async () => JSON.stringify(await zombie())],
  ['a write that was cut short', async () => '{"pid":'],
])('claimHome() goes past a claim from %s', async (_, write) => {
  await (await claimHome(folder))[Symbol.asyncDispose]()
  home = folder
  writeFileSync(claimFile(), await write())
  await using _claim = await claimHome(home)
  expect(JSON.parse(readFileSync(claimFile(), 'utf8'))).toMatchObject({ pid: process.pid })
})

it('claimHome() believes a claim from another machine while that touches it', async () => {
  home = folder
  writeFileSync(claimFile(), JSON.stringify({ ...(await markProcess()), place: 'elsewhere' }))
  await expect(claimHome(home)).rejects.toMatchObject({ code: 'UP_RUNNING' })
  const longAgo = new Date(Date.now() - 3_600_000)
  utimesSync(claimFile(), longAgo, longAgo)
  await using _claim = await claimHome(home)
})

async function endedProcess() {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  await once(child, 'spawn')
  const mark = await markProcess(child.pid)
  child.kill('SIGKILL')
  await once(child, 'exit')
  return mark
}

/** A killed process whose parent never asks how it ended, as in a container without an init. */
async function zombie() {
  // The shell becomes another program, which knows nothing of the child.
  const script = 'sleep 60 & echo $!; exec sleep 60'
  const parent = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  afterThis.push(parent)
  const [line] = (await once(parent.stdout, 'data')) as [Buffer]
  const pid = Number(line.toString())
  const mark = await markProcess(pid)
  process.kill(pid, 'SIGKILL')
  await expect.poll(() => isAlive(mark)).toBe(false)
  return mark
}
