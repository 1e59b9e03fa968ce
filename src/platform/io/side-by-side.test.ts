import { expect, it } from 'vitest'
import { sideBySide } from './side-by-side.ts'

it('sideBySide() works on so many at once, in order, and returns the results in order', async () => {
  const begun: number[] = []
  let [open, most] = [0, 0]
  const results = await sideBySide([5, 1, 4, 2, 3], { width: 2 }, async (item) => {
    begun.push(item)
    open += 1
    most = Math.max(most, open)
    for (let tick = 0; tick < item; tick++) await Promise.resolve()
    open -= 1
    return item * 10
  })
  expect(results).toEqual([50, 10, 40, 20, 30])
  expect(begun).toEqual([5, 1, 4, 2, 3])
  expect(most).toBe(2)
  expect(await sideBySide([], { width: 2 }, () => Promise.resolve(1))).toEqual([])
})

it('sideBySide() ends what is under way after an error, begins nothing more, and throws the first', async () => {
  const ended: number[] = []
  let told = () => {}
  const isTold = new Promise<void>((resolve) => (told = resolve))
  const work = sideBySide([1, 2, 3], { width: 2, onError: told }, async (item) => {
    if (item === 2) throw new Error('the second')
    await isTold
    ended.push(item)
    throw new Error('a later one')
  })
  await expect(work).rejects.toThrow('the second')
  expect(ended).toEqual([1])
})
