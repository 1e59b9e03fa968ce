import type { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** The part of the driver's client that is watched. With TLS, another stream replaces this one. */
export interface Wire {
  readonly connection: EventEmitter & { readonly stream: Duplex }
}

/**
 * What the server says about a silent statement. `working`: the server works on it. `wants`: it
 * waits for us to send. `sends`: it waits for us to read. `idle`: it has no work for us. `away`: it
 * did not answer. `unknown`: it answered, but could not tell.
 */
export type Heard = 'working' | 'wants' | 'sends' | 'idle' | 'away' | 'unknown'

export interface SilenceOptions {
  /** How long a statement may be silent before the server is asked, in ms. */
  readonly silenceMs: number
  /** Asks the server on another connection, in limited time. Never throws. */
  readonly ask: () => Promise<Heard>
  /** Called after the connection was cut. The server may still hold locks for its transaction. */
  readonly onCut: () => void
}

/** How many times in a row the server may be unable to tell before the connection is cut. */
const MAX_UNKNOWN = 60

/**
 * How many times in a row each side may seem to wait for the other before the connection is cut.
 */
const MAX_DOUBTS = 2

/**
 * Cuts a connection on which nothing arrives any more, so that no statement waits forever. A
 * statement may be silent for as long as the server says that it works on it. Call `end` when the
 * connection is closed. `isReady` tells whether the server has answered everything that was sent.
 */
export function watchSilence(
  { connection }: Wire,
  { silenceMs, ask, onCut }: SilenceOptions,
): { end(): void; isReady(): boolean } {
  const socket = (): Socket => connection.stream as Socket
  // Bytes sent since the server was last ready belong to a statement that is still running.
  let sentWhenReady = socket().bytesWritten
  connection.prependListener('readyForQuery', () => {
    sentWhenReady = socket().bytesWritten
  })
  let progress = ''
  let silentSince = Date.now()
  let [isAsking, unknown, doubts] = [false, 0, 0]

  const isReady = (): boolean => socket().bytesWritten === sentWhenReady
  const measure = (): string => {
    const { bytesRead, bytesWritten, writableLength } = socket()
    return `${bytesRead} ${bytesWritten - writableLength}`
  }
  const cut = (): void => {
    socket().destroy(new Error('timeout expired'))
    onCut()
  }
  const judge = (heard: Heard): void => {
    const { readableLength, writableLength } = socket()
    const isOurs =
      (heard === 'sends' && readableLength > 0) || (heard === 'wants' && writableLength === 0)
    if (heard === 'away') cut()
    else if (heard === 'working' || isOurs) [unknown, doubts] = [0, 0]
    else if (heard === 'unknown') unknown += 1
    else doubts += 1
    if (unknown >= MAX_UNKNOWN || doubts >= MAX_DOUBTS) cut()
  }
  const look = async (): Promise<void> => {
    const now = measure()
    if (isReady() || now !== progress) {
      progress = now
      silentSince = Date.now()
      ;[unknown, doubts] = [0, 0]
      return
    }
    if (isAsking || Date.now() - silentSince < silenceMs) return
    isAsking = true
    const heard = await ask()
    isAsking = false
    // If bytes moved meanwhile, the connection is alive.
    if (measure() === progress) judge(heard)
    // A doubt is checked again at the next tick, everything else after another silence.
    if (doubts === 0) silentSince = Date.now()
  }
  const timer = setInterval(() => void look(), silenceMs / 6)
  timer.unref()
  return {
    isReady,
    end() {
      clearInterval(timer)
    },
  }
}
