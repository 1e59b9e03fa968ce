import { randomUUID } from 'node:crypto'
import * as fs from 'node:fs'
import { dirname, join } from 'node:path'
import { codeOf, ConflictError } from '../platform/errors.ts'
import { isAlive, markProcess, type ProcessMark } from './process-mark.ts'

/** A home that one `up` has claimed. Disposing gives it back. */
export interface HomeClaim extends AsyncDisposable {
  /** Records the address of the dashboard, for a second `up`. */
  announce(url: string): void
}

/** The file in a home that names the `up` that runs there. */
const FILE = 'up.json'

/** A living process touches its claim this often, so that other machines know that it lives. */
const TOUCH_MS = 10_000
const ABANDONED_MS = 6 * TOUCH_MS

interface Claim extends ProcessMark {
  readonly url?: string
}

/**
 * Claims a home for this process. A claim from a process that has ended does not count. Creates the
 * home if it does not exist, and removes it in the end if it is empty. Throws `ConflictError`
 * (`UP_RUNNING`), with the address of the dashboard, if another process has the home.
 */
export async function claimHome(home: string): Promise<HomeClaim> {
  const mark = await markProcess()
  const file = join(home, FILE)
  const isMade = fs.mkdirSync(home, { recursive: true, mode: 0o711 }) !== undefined
  for (;;) {
    if (writeOnce(file, JSON.stringify(mark))) break
    await refuseLiving(file)
  }
  const touching = setInterval(() => touch(file), TOUCH_MS).unref()
  return {
    announce: (url) => replace(file, JSON.stringify({ ...mark, url })),
    async [Symbol.asyncDispose]() {
      clearInterval(touching)
      fs.rmSync(file, { force: true })
      if (isMade) removeIfEmpty(home)
    },
  }
}

/** Writes a whole file if there is none. Returns whether it did. */
function writeOnce(file: string, text: string): boolean {
  const draft = `${file}.${randomUUID()}`
  fs.writeFileSync(draft, text, { mode: 0o600 })
  try {
    fs.linkSync(draft, file)
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  } finally {
    fs.rmSync(draft)
  }
}

/** Removes a claim whose process has ended. Throws if it lives. */
async function refuseLiving(file: string): Promise<void> {
  const found = readClaim(file)
  if (found === undefined || (await isAbandoned(found))) {
    removeClaim(file, found?.text)
    return
  }
  const { url, pid } = found.claim
  const where = url === undefined ? `in process ${pid}` : `at ${url}`
  throw new ConflictError(`tidemark up already runs in ${dirname(file)}, ${where}`, {
    code: 'UP_RUNNING',
    hint:
      url === undefined
        ? 'wait until it has ended, or use another home: tidemark up --home <folder>'
        : `open ${url}, or start another one in a home of its own: tidemark up --home <folder>`,
  })
}

interface FoundClaim {
  readonly claim: Claim
  readonly text: string
  readonly touchedAt: number
}

/** Undefined if there is none, or if it cannot be read. */
function readClaim(file: string): FoundClaim | undefined {
  try {
    const text = fs.readFileSync(file, 'utf8')
    return { claim: JSON.parse(text) as Claim, text, touchedAt: fs.statSync(file).mtimeMs }
  } catch {
    return undefined
  }
}

async function isAbandoned({ claim, touchedAt }: FoundClaim): Promise<boolean> {
  const isLiving = await isAlive(claim)
  return isLiving === undefined ? Date.now() - touchedAt > ABANDONED_MS : !isLiving
}

/** Removes a claim, unless another process has claimed the home since it was read. */
function removeClaim(file: string, seen: string | undefined): void {
  const aside = `${file}.${randomUUID()}`
  try {
    fs.renameSync(file, aside)
    if (seen !== undefined && fs.readFileSync(aside, 'utf8') !== seen) fs.linkSync(aside, file)
  } catch (error) {
    // Another process was faster.
    if (!['ENOENT', 'EEXIST'].includes(codeOf(error))) throw error
  }
  fs.rmSync(aside, { force: true })
}

function replace(file: string, text: string): void {
  const draft = `${file}.${randomUUID()}`
  fs.writeFileSync(draft, text, { mode: 0o600 })
  fs.renameSync(draft, file)
}

function touch(file: string): void {
  try {
    const now = new Date()
    fs.utimesSync(file, now, now)
  } catch {
    // The home is gone, and its claim with it.
  }
}

function removeIfEmpty(folder: string): void {
  try {
    fs.rmdirSync(folder)
  } catch {
    // Something was put into it.
  }
}
