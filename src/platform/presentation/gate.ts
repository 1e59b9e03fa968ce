/** Limits how many callers may enter at one time. */
export interface Gate {
  enter(signal?: AbortSignal): Promise<void>
  leave(): void
}

/** Maximum number of callers that wait at a gate. Any further caller is turned away at once. */
const QUEUE = 64

/** How many callers a gate lets in, and how long the others wait. */
export interface GateOptions {
  readonly places: number
  /** Milliseconds to wait for a place. */
  readonly waitMs: number
  /** The error for a caller who waited too long, or came when too many were waiting. */
  readonly busy: () => Error
}

/**
 * Lets `places` callers in at one time, first come, first served. `enter` throws what `busy`
 * returns; every `enter` that returned needs one `leave`.
 */
export function createGate({ places, waitMs, busy }: GateOptions): Gate {
  let free = places
  const queue: (() => void)[] = []
  return {
    async enter(signal) {
      if (free > 0) {
        free -= 1
        return
      }
      if (queue.length >= QUEUE) throw busy()
      await new Promise<void>((resolve, reject) => {
        const settle = (): void => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', giveUp)
        }
        const admit = (): void => {
          settle()
          resolve()
        }
        const giveUp = (): void => {
          settle()
          queue.splice(queue.indexOf(admit), 1)
          reject(busy())
        }
        const timer = setTimeout(giveUp, waitMs)
        signal?.addEventListener('abort', giveUp)
        queue.push(admit)
      })
    },
    leave() {
      const next = queue.shift()
      if (next === undefined) free += 1
      else next()
    },
  }
}
