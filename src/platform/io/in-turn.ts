/** Calls a function as soon as all functions passed before it have ended, even if they failed. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>

/** A queue of functions. Once it is disposed of, functions that have not begun fail instead. */
export interface Turns extends AsyncDisposable {
  readonly inTurn: InTurn
}

/**
 * Creates a queue for something that several parts of a program share and only one may use at a
 * time, such as a connection. Dispose of the queue before the connection. That does not wait for the
 * function that runs.
 */
export function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  let isOpen = true
  return {
    inTurn(work) {
      const next = last.then(() => {
        if (!isOpen) throw new Error('the queue was closed before this began')
        return work()
      })
      last = next.catch(() => {}) // the caller has the error
      return next
    },
    [Symbol.asyncDispose]() {
      isOpen = false
      return Promise.resolve()
    },
  }
}
