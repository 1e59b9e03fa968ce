import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { AppLogEntry } from './log.ts'
import { markProcess, type ProcessMark } from './process-mark.ts'
import { openScratch } from './scratch.ts'

let parent: string
let entries: AppLogEntry[]
const log = (entry: AppLogEntry) => void entries.push(entry)
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'tidemark-scratch-'))
  entries = []
})
afterEach(() => rm(parent, { recursive: true, force: true }))

/** Opens a scratch folder and closes it, as every command does. */
async function sweep(): Promise<void> {
  const scratch = await openScratch(parent, { log })
  await scratch[Symbol.asyncDispose]()
}

/** A folder with rows in it, as a process with this mark would have left it. */
async function leave(name: string, mark: ProcessMark): Promise<string> {
  const path = join(parent, name)
  await mkdir(join(path, 'duckdb-1'), { recursive: true })
  await writeFile(join(path, 'duckdb-1', 'rows.copy'), 'secret')
  await writeFile(`${path}.owner.json`, JSON.stringify(mark))
  return path
}

it('openScratch() makes a folder of its own, and removes it with its mark', async () => {
  {
    await using one = await openScratch(parent, { log })
    await using other = await openScratch(parent, { log })
    expect(existsSync(one.path) && existsSync(other.path)).toBe(true)
    expect(one.path).not.toBe(other.path)
  }
  expect(await readdir(parent)).toEqual([])
  expect(entries).toEqual([])
})

it('I15 openScratch() removes the folder of a killed process, and leaves that of a living one', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { stdio: 'ignore' })
  await once(child, 'spawn')
  const folder = await leave('of a child', await markProcess(child.pid))
  {
    await using scratch = await openScratch(parent, { log })
    expect(existsSync(folder)).toBe(true)
    expect(await readdir(parent)).toHaveLength(4)
    expect(scratch.path).not.toBe(folder)
  }
  child.kill('SIGKILL')
  await once(child, 'exit')
  await sweep()
  expect(existsSync(folder)).toBe(false)
  expect(await readdir(parent)).toEqual([])
  expect(entries).toEqual([{ event: 'scratch_swept', folders: 1 }])
})

it('I15 openScratch() tells a process from another that was given its number', async () => {
  const mark = await markProcess()
  const own = await leave('own', mark)
  const earlier = await leave('earlier', { ...mark, began: '1' })
  await sweep()
  expect([existsSync(own), existsSync(earlier)]).toEqual([true, false])
})

it('I15 openScratch() leaves a folder from another machine until its mark is a day old', async () => {
  const mark = { ...(await markProcess()), place: 'elsewhere' }
  const fresh = await leave('fresh', mark)
  const old = await leave('old', mark)
  const yesterday = new Date(Date.now() - 25 * 3_600_000)
  await utimes(`${old}.owner.json`, yesterday, yesterday)
  await sweep()
  expect([existsSync(fresh), existsSync(old)]).toEqual([true, false])
})

it('I15 openScratch() leaves everything that Tidemark did not make', async () => {
  await mkdir(join(parent, 'mine'))
  await writeFile(join(parent, 'mine.txt'), '')
  await writeFile(join(parent, 'broken.owner.json'), 'no mark')
  await sweep()
  expect(await readdir(parent)).toEqual(
    expect.arrayContaining(['mine', 'mine.txt', 'broken.owner.json']),
  )
})

it('I15 openScratch() names a folder that it cannot make', async () => {
  await writeFile(join(parent, 'file'), '')
  await expect(openScratch(join(parent, 'file', 'scratch'), { log })).rejects.toMatchObject({
    name: 'ConfigError',
    code: expect.stringMatching(/^SCRATCH_/),
  })
})

it.each(['file', 'file/below', 'file/below/it'])(
  'I15 openScratch() says that %s cannot be made, not that somebody removed it',
  async (path) => {
    await writeFile(join(parent, 'file'), '')
    await expect(openScratch(join(parent, path), { log })).rejects.toMatchObject({
      code: 'SCRATCH_PERMISSION',
      message: expect.stringContaining('cannot be made [E') as string,
      hint: expect.stringContaining('TIDEMARK_SCRATCH') as string,
    })
  },
)
