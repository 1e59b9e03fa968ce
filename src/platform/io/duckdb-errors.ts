import { ConfigError } from '../errors.ts'
import { explainScratchError } from './disk-errors.ts'

/**
 * A statement that failed on a value. `message` is only DuckDB's kind of error, and safe to show.
 */
export class DuckDbError extends Error {
  override readonly name = 'DuckDbError'
  /** DuckDB's full message, which may quote values: match against it, never show it. */
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
 * Kinds whose messages may quote values; the CSV reader throws the last for lines it cannot parse.
 */
const QUOTES_VALUES = /^(Conversion|Invalid Input|Out of Range|Constraint|Not implemented) Error/

/** System errors as DuckDB words them, and their codes. */
const SYSTEM: readonly (readonly [pattern: RegExp, code: string])[] = [
  // DuckDB measures the free space of the disk itself and does not try to write more.
  [/max_temp_directory_size|failed to offload/i, 'ENOSPC'],
  [/No space left on device/i, 'ENOSPC'],
  [/Disk quota exceeded/i, 'EDQUOT'],
  [/File too large/i, 'EFBIG'],
  [/Too many open files/i, 'EMFILE'],
  [/Read-only file system/i, 'EROFS'],
  [/Permission denied/i, 'EACCES'],
]

/**
 * Turns what DuckDB threw into an error that may be shown. An exhausted resource becomes a
 * `ConfigError` that names the setting to change. If DuckDB may quote values, only the kind of the
 * error is kept. All other errors are returned unchanged.
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
