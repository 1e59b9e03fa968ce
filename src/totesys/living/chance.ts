/** Draws the next number from 0 up to 1. The same key draws the same numbers every time. */
export type Chance = () => number

/** A sequence for one seed and purpose, independent of all others (FNV-1a, then mulberry32). */
export function chanceOf(seed: number, purpose: string): Chance {
  let state = 0x811c9dc5
  for (const letter of `${seed}/${purpose}`) {
    state = Math.imul(state ^ letter.charCodeAt(0), 0x01000193)
  }
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** One of the items, each as likely as the others. There must be at least one. */
export function pick<Item>(chance: Chance, items: readonly Item[]): Item {
  return items[Math.floor(chance() * items.length)]!
}
