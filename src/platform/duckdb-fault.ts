import { explainScratchFault } from './disk-fault.ts'
import { ConfigError } from './errors.ts'

/** A statement failed on a value. `message` is DuckDB's kind of error alone, and safe to show. */
export class DuckDbError extends Error {
  override readonly name = 'DuckDbError'
  /** All that DuckDB said, which may quote values: to be recognized by, never to be shown. */
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

/** Kinds whose messages may quote values; the last is that of lines DuckDB's reader cannot follow. */
const QUOTES_VALUES = /^(Conversion|Invalid Input|Out of Range|Constraint|Not implemented) Error/

/** What the system said, in DuckDB's words, and its code. */
const SYSTEM: readonly (readonly [pattern: RegExp, code: string])[] = [
  // Beyond the free space of the disk, which DuckDB measures itself, it does not even try.
  [/max_temp_directory_size|failed to offload/i, 'ENOSPC'],
  [/No space left on device/i, 'ENOSPC'],
  [/Disk quota exceeded/i, 'EDQUOT'],
  [/File too large/i, 'EFBIG'],
  [/Too many open files/i, 'EMFILE'],
  [/Read-only file system/i, 'EROFS'],
  [/Permission denied/i, 'EACCES'],
]

/**
 * What DuckDB threw as an error that may be shown. A resource that is used up becomes a
 * `ConfigError` that names the setting to change; where DuckDB quotes values, only the kind of the
 * error is kept. All other errors are returned as they are.
 */
export function explainDuckDbFault(
  error: unknown,
  { scratchDir, memoryLimitMb }: { scratchDir: string; memoryLimitMb: number },
): unknown {
  const message = error instanceof Error ? error.message : ''
  if (/^(Out of Memory|IO) Error/.test(message)) {
    const code = SYSTEM.find(([pattern]) => pattern.test(message))?.[1]
    // Anything that is written lies in the scratch folder; what is only read may lie elsewhere.
    const isOurs = code !== 'EACCES' || message.includes(scratchDir)
    if (code !== undefined && isOurs) {
      return explainScratchFault(Object.assign(new Error(message), { code }), scratchDir)
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
