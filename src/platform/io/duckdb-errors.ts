import { ConfigError } from '../errors.ts'
import { explainScratchError } from './disk-errors.ts'

/**
 * A statement that failed on a value. `message` is only the kind of DuckDB's error, so it may be
 * shown.
 */
export class DuckDbError extends Error {
  override readonly name = 'DuckDbError'
  /**
   * DuckDB's full message, which may quote values. Match it against patterns, but never show it.
   */
  readonly #said: string

  constructor(kind: string, said: string) {
    super(kind)
    this.#said = said
  }

  /** Whether DuckDB's full message matches. */
  says(pattern: RegExp): boolean {
    return pattern.test(this.#said)
  }
}

/**
 * Kinds of errors whose messages may quote values. The CSV reader throws the last kind for lines
 * that it cannot parse.
 */
const QUOTES_VALUES = /^(Conversion|Invalid Input|Out of Range|Constraint|Not implemented) Error/

/** The codes of system errors by DuckDB's words for them. */
const SYSTEM: readonly (readonly [pattern: RegExp, code: string])[] = [
  // DuckDB measures the free space on the disk itself and does not try to write more.
  [/max_temp_directory_size|failed to offload/i, 'ENOSPC'],
  [/No space left on device/i, 'ENOSPC'],
  [/Disk quota exceeded/i, 'EDQUOT'],
  [/File too large/i, 'EFBIG'],
  [/Too many open files/i, 'EMFILE'],
  [/Read-only file system/i, 'EROFS'],
  [/Permission denied/i, 'EACCES'],
]

/**
 * Turns an error from DuckDB into one that may be shown. If a resource is exhausted, returns a
 * `ConfigError` that names the setting to change. If the message may quote values, keeps only the
 * kind of the error. Returns all other errors unchanged.
 */
export function explainDuckDbError(
  error: unknown,
  { scratchDir, memoryLimitMb }: { scratchDir: string; memoryLimitMb: number },
): unknown {
  const message = error instanceof Error ? error.message : ''
  if (/^(Out of Memory|IO) Error/.test(message)) {
    const code = SYSTEM.find(([pattern]) => pattern.test(message))?.[1]
    // DuckDB writes only into the scratch folder, but may read files elsewhere.
    const isOurs = code !== 'EACCES' || message.includes(scratchDir)
    if (code !== undefined && isOurs) {
      return explainScratchError(Object.assign(new Error(message), { code }), scratchDir)
    }
  }
  if (message.startsWith('Out of Memory Error')) {
    return new ConfigError(`${memoryLimitMb} MB of memory are not enough for this step`, {
      code: 'MEMORY_EXCEEDED',
      hint: `set TIDEMARK_MEMORY_MB to more, for instance ${memoryLimitMb * 4}`,
      cause: error,
    })
  }
  const [kind] = QUOTES_VALUES.exec(message) ?? []
  return kind === undefined ? error : new DuckDbError(kind, message)
}
