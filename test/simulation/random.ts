/** Numbers that look random and follow from a seed alone. */
export interface Random {
  /** A whole number from 0 to `below - 1`. */
  below(below: number): number
  /** One of the values. */
  pick<Value>(values: readonly Value[]): Value
  /** One of the values, each as often as its weight says. */
  weighted<Value>(values: readonly (readonly [weight: number, value: Value])[]): Value
  /** True in `percent` of 100 cases. */
  chance(percent: number): boolean
}

/** Random numbers from a seed, by Mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (count: number): number => Math.floor(next() * count)
  return {
    below,
    pick(values) {
      const value = values[below(values.length)]
      if (value === undefined) throw new TypeError('there is nothing to pick')
      return value
    },
    weighted(values) {
      let left = next() * values.reduce((sum, [weight]) => sum + weight, 0)
      for (const [weight, value] of values) {
        left -= weight
        if (left < 0) return value
      }
      throw new TypeError('there is nothing to pick')
    },
    chance: (percent) => below(100) < percent,
  }
}
