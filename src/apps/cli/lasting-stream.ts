import type { Stream } from './output.ts'

/** The part of a Node stream that is written to here. */
export interface Writing {
  write(text: string, written: (error?: Error | null) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

/** A stream that outlives failed writes. */
export interface LastingStream extends Stream {
  /** Lines that were lost and not reported yet, with a code such as `ENOSPC`. Undefined if none. */
  readonly lost: { readonly lines: number; readonly code: string } | undefined
  /** Resolves when the outcome of every write so far is known. */
  settled(): Promise<void>
}

/**
 * Wraps a stream so that it cannot end the process. What a full disk or a closed pipe refuses is
 * dropped, and work goes on. Once output works again, one line from `describe` says how much is
 * missing.
 */
export function lastingStream(
  stream: Writing,
  describe: (lost: { lines: number; code: string }) => string,
): LastingStream {
  let lost: { lines: number; code: string } | undefined
  let pending = 0
  let waiting: (() => void)[] = []
  // Each write gets its own error. Without this listener the process would end.
  stream.on('error', () => {})
  const write = (text: string, lines: number): void => {
    pending += 1
    stream.write(text, (error) => {
      learn(lines, error)
      pending -= 1
      if (pending > 0) return
      for (const resolve of waiting) resolve()
      waiting = []
    })
  }
  const learn = (lines: number, error?: Error | null): void => {
    if (error !== undefined && error !== null) {
      const { code = 'EIO' } = error as NodeJS.ErrnoException
      lost = { lines: (lost?.lines ?? 0) + lines, code }
      return
    }
    if (lost === undefined) return
    const said = lost
    lost = undefined
    // If this write fails too, these lines count as lost again.
    write(describe(said), said.lines)
  }
  return {
    write: (text) => write(text, text.split('\n').length - 1),
    get isTTY() {
      return stream.isTTY ?? false
    },
    get columns() {
      return stream.columns ?? 80
    },
    get lost() {
      return lost
    },
    settled: () =>
      pending === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            waiting.push(resolve)
          }),
  }
}
