import type { DeliveryStore } from '../mail/deliveries.ts'

/** A store that lasts as long as the process, for when the one on the disk cannot be used. */
export function memoryStore(): DeliveryStore {
  const objects = new Map<string, Buffer>()
  return {
    get: async (key) => objects.get(key),
    async putIfAbsent(key, body) {
      if (objects.has(key)) return 'exists'
      objects.set(key, body)
      return 'created'
    },
    async *list(prefix) {
      for (const [key, { length: sizeBytes }] of objects) {
        if (key.startsWith(prefix)) yield { key, sizeBytes, modifiedAt: new Date(0) }
      }
    },
  }
}
