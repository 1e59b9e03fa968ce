import { expect, it } from 'vitest'
import { retry } from './retry.ts'

const passing = new Error('passing')
const lasting = new Error('lasting')
const isPassing = (error: unknown): boolean => error === passing

/** Work that fails with these errors, one after the other, and then succeeds. */
function failing(...errors: Error[]) {
  const attempts: number[] = []
  const work = async (attempt: number): Promise<string> => {
    attempts.push(attempt)
    const error = errors[attempt - 1]
    if (error !== undefined) throw error
    return 'done'
  }
  return { attempts, work }
}

it('retry() runs the work again after an error that may pass', async () => {
  const { attempts, work } = failing(passing, passing)
  const told: number[] = []
  const onRetry = (_: unknown, attempt: number): void => void told.push(attempt)
  expect(await retry(work, { attempts: 3, isPassing, onRetry })).toBe('done')
  expect(attempts).toEqual([1, 2, 3])
  expect(told).toEqual([1, 2])
})

it('retry() throws the last error once its attempts are used up, and any other at once', async () => {
  const often = failing(passing, passing, passing)
  await expect(retry(often.work, { attempts: 2, isPassing })).rejects.toBe(passing)
  expect(often.attempts).toEqual([1, 2])
  const once = failing(passing, lasting)
  await expect(retry(once.work, { attempts: 9, isPassing })).rejects.toBe(lasting)
  expect(once.attempts).toEqual([1, 2])
})

it('retry() ends its pauses when it is stopped', async () => {
  const { attempts, work } = failing(passing, passing, passing)
  const stop = new AbortController()
  const options = { attempts: 3, isPassing, pauseMs: 3_600_000, maxPauseMs: 3_600_000 }
  const running = retry(work, {
    ...options,
    signal: stop.signal,
    onRetry: () => queueMicrotask(() => stop.abort()),
  })
  await expect(running).rejects.toBe(passing)
  expect(attempts).toEqual([1])
})
