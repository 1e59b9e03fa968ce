import { codeOf, ConfigError } from '../errors.ts'

/** What a system error means for the scratch folder. */
interface Meaning {
  readonly code: string
  message(folder: string): string
  readonly hint: string
}

const FULL: Meaning = {
  code: 'SCRATCH_FULL',
  message: (folder) => `The scratch folder ${folder} is full`,
  hint: 'free some space, or set TIDEMARK_SCRATCH to a folder with more; then run again',
}

const FORBIDDEN: Meaning = {
  code: 'SCRATCH_PERMISSION',
  message: (folder) => `The scratch folder ${folder} cannot be written`,
  hint: 'make it writable for this user, or set TIDEMARK_SCRATCH to a folder that is; then run again',
}

const OPEN_FILES: Meaning = {
  code: 'OPEN_FILES',
  message: () => 'This process, or this machine, has too many files open',
  hint: 'raise the limit, for instance with: ulimit -n 4096',
}

const LOST: Meaning = {
  code: 'SCRATCH_LOST',
  message: (folder) => `A file in the scratch folder ${folder} is gone, or cannot be read`,
  hint: 'keep other programs out of the folder, or set TIDEMARK_SCRATCH to another; then run again',
}

/** The meanings by the code of the system error. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: FULL,
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  EROFS: FORBIDDEN,
  EMFILE: OPEN_FILES,
  ENFILE: OPEN_FILES,
  ENOENT: LOST,
  ENOTDIR: LOST,
  EIO: LOST,
}

/**
 * Turns a system error about a file in the scratch folder into one of our errors. Undefined for
 * every other error, such as an answer from a database. The message names the folder and the
 * system's code.
 */
export function explainScratchError(error: unknown, folder: string): ConfigError | undefined {
  const system = codeOf(error)
  const meaning = MEANINGS[system]
  if (meaning === undefined) return undefined
  const { code, hint } = meaning
  return new ConfigError(`${meaning.message(folder)} [${system}]`, { code, hint, cause: error })
}

/**
 * Runs `work` on files in the scratch folder. Throws `ConfigError` for a system error that has a
 * known meaning, and everything else unchanged.
 */
export async function withScratchErrors<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw explainScratchError(error, folder) ?? error
  }
}
