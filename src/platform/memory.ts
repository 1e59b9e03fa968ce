/**
 * What a process remembers from one call to the next; built once, with `Deps`. It holds only hints
 * and what can never change, so a process that starts without it finds the same, more slowly.
 */
export interface Memory {
  readonly startedAt: Date
}

/** A memory without any content. */
export function createMemory(): Memory {
  return { startedAt: new Date() }
}

/**
 * A place in every memory, which `make` fills when it is first asked for. Returns the function that
 * looks it up. Its content goes with the memory.
 */
export function inMemory<Value>(make: () => Value): (memory: Memory) => Value {
  const values = new WeakMap<Memory, { readonly value: Value }>()
  return (memory) => {
    const known = values.get(memory) ?? { value: make() }
    values.set(memory, known)
    return known.value
  }
}

/** A map that forgets everything once it holds `size` entries: for content that can be had again. */
export function boundedMap<Key, Value>(size: number): Map<Key, Value> {
  const map = new Map<Key, Value>()
  const set = map.set.bind(map)
  map.set = (key, value) => {
    if (map.size >= size && !map.has(key)) map.clear()
    return set(key, value)
  }
  return map
}
