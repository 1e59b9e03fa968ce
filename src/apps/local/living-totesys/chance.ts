/** Draws numbers from 0 up to 1, one after another, the same every time for the same key. */
export type Chance = () => number

/** A sequence of its own for a seed and a purpose (FNV-1a, then mulberry32). */
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

/** One of the items (there must be some), each as likely. */
export function pick<Item>(chance: Chance, items: readonly Item[]): Item {
  return items[Math.floor(chance() * items.length)]!
}
