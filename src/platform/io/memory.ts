/**
 * What a process remembers between calls; built once, with `Deps`. It holds only hints and things
 * that never change, so a process that starts without it does the same work, only more slowly.
 */
export interface Memory {
  readonly [MEMORY]: true
}

/** Only `createMemory` makes a memory. What it holds is found by `inMemory`. */
const MEMORY = Symbol('memory')

/** An empty memory. */
export function createMemory(): Memory {
  return { [MEMORY]: true }
}

/**
 * Reserves a place in every memory and returns the function that looks it up. `make` fills the
 * place at the first look-up. The content is freed together with its memory.
 */
export function inMemory<Value>(make: () => Value): (memory: Memory) => Value {
  const values = new WeakMap<Memory, { readonly value: Value }>()
  return (memory) => {
    const known = values.get(memory) ?? { value: make() }
    values.set(memory, known)
    return known.value
  }
}

/**
 * A map that forgets everything once it holds `size` entries. For content that can be made again.
 */
export function boundedMap<Key, Value>(size: number): Map<Key, Value> {
  const map = new Map<Key, Value>()
  const set = map.set.bind(map)
  map.set = (key, value) => {
    if (map.size >= size && !map.has(key)) map.clear()
    return set(key, value)
  }
  return map
}
