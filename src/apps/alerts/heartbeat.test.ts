import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { markProcess } from '../process-mark.ts'
import { MISSED_MS, readPulse, startHeartbeat } from './heartbeat.ts'

let home: string
beforeEach(async () => void (home = await mkdtemp(join(tmpdir(), 'tidemark-heartbeat-'))))
afterEach(() => rm(home, { recursive: true, force: true }))

const later = (ms: number) => new Date(Date.now() + ms)
const never = (error: unknown) => {
  throw error
}

it('a process that gives signs of life is not missing, until they do not come', async () => {
  const { signal } = new AbortController()
  using heartbeat = await startHeartbeat(home, { command: 'tidemark up', signal, onFailure: never })
  heartbeat.beat()
  expect(await readPulse(home, new Date())).toMatchObject({
    command: 'tidemark up',
    pid: process.pid,
    isMissing: false,
    endedAt: undefined,
  })
  expect(await readPulse(home, later(MISSED_MS + 1000))).toMatchObject({ isMissing: true })
  expect(await readdir(home)).toEqual(['heartbeat.json'])
})

it('a process that was stopped on purpose is not missing', async () => {
  const stopping = new AbortController()
  using heartbeat = await startHeartbeat(home, {
    command: 'tidemark up',
    signal: stopping.signal,
    onFailure: never,
  })
  stopping.abort()
  heartbeat.beat()
  const pulse = await readPulse(home, later(MISSED_MS * 100))
  expect(pulse?.isMissing).toBe(false)
  expect(pulse?.endedAt).toMatch(/^\d{4}-/)
})

it('a process that was stopped while it started is not missing either', async () => {
  const options = { command: 'tidemark up', signal: AbortSignal.abort(), onFailure: never }
  using _heartbeat = await startHeartbeat(home, options)
  expect((await readPulse(home, new Date()))?.endedAt).toMatch(/^\d{4}-/)
})

it('a process that was killed is missing at once', async () => {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const mark = await markProcess(child.pid)
  const beat = { ...mark, at: new Date().toISOString(), host: 'here', command: 'tidemark up' }
  await writeFile(join(home, 'heartbeat.json'), JSON.stringify(beat))
  expect((await readPulse(home, new Date()))?.isMissing).toBe(false)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect((await readPulse(home, new Date()))?.isMissing).toBe(true)
  const elsewhere = { ...beat, place: 'another machine' }
  await writeFile(join(home, 'heartbeat.json'), JSON.stringify(elsewhere))
  expect((await readPulse(home, new Date()))?.isMissing).toBe(false)
  expect((await readPulse(home, later(MISSED_MS + 1000)))?.isMissing).toBe(true)
})

it('readPulse() knows nothing without a file, or with one that is not ours', async () => {
  expect(await readPulse(join(home, 'absent'), new Date())).toBeUndefined()
  await writeFile(join(home, 'heartbeat.json'), '{"at":')
  expect(await readPulse(home, new Date())).toBeUndefined()
  await writeFile(join(home, 'heartbeat.json'), '{"at":"never"}')
  expect(await readPulse(home, new Date())).toBeUndefined()
})

it('a home that cannot be written to stops nothing, and is told once', async () => {
  const file = join(home, 'file')
  await writeFile(file, '')
  const failures: unknown[] = []
  const { signal } = new AbortController()
  using heartbeat = await startHeartbeat(file, {
    command: 'tidemark up',
    signal,
    onFailure: (error) => failures.push(error),
  })
  heartbeat.beat()
  expect(failures).toHaveLength(1)
  expect(await readFile(file, 'utf8')).toBe('')
})
