import { link, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ContractError } from '../../src/platform/errors.ts'
import type { ObjectStore } from '../../src/platform/lake/store/object-store.ts'

/** The objects of a store, which several processes share. */
export interface SharedObjects {
  readonly name: string
  /** Small objects by key. */
  readonly bodies: Map<string, Buffer>
  /** Files by key: each stays under its own path. */
  readonly files: Map<string, string>
  /** Where the files are. */
  readonly folder: string
  /** How many objects were created so far. */
  created: number
}

/** Called around each step that creates an object. It may delay the step, or fail it. */
export type PutGate = <T>(step: string, put: () => Promise<T>) => Promise<T>

/** Objects in memory, with files in `folder`. */
export async function createObjects(name: string, folder: string): Promise<SharedObjects> {
  await mkdir(folder, { recursive: true })
  return { name, bodies: new Map(), files: new Map(), folder, created: 0 }
}

/** The objects as one process reaches them. */
export function openObjects(objects: SharedObjects, gate: PutGate): ObjectStore {
  const { name, bodies, files, folder } = objects
  const isTaken = (key: string) => bodies.has(key) || files.has(key)
  return {
    location: `memory:${name}`,
    get: async (key) => bodies.get(key),
    putIfAbsent: (key, body) =>
      gate(`put ${name}/${key}`, async () => {
        if (isTaken(key)) return 'exists'
        bodies.set(key, Buffer.from(body))
        objects.created += 1
        return 'created'
      }),
    uploadIfAbsent: (key, path) =>
      gate(`put ${name}/${key}`, async () => {
        if (isTaken(key)) return 'exists'
        const kept = join(folder, `${name}-${objects.created}`)
        objects.created += 1
        await link(path, kept)
        files.set(key, kept)
        return 'created'
      }),
    async download(key) {
      const path = files.get(key)
      if (path !== undefined) return path
      const body = bodies.get(key)
      if (body === undefined) {
        throw new ContractError(`the object ${key} is missing`, { code: 'LAKE_OBJECT_MISSING' })
      }
      const written = join(folder, `body-${objects.created++}`)
      await writeFile(written, body)
      return written
    },
    async *list(prefix) {
      const keys = [...bodies.keys(), ...files.keys()].filter((key) => key.startsWith(prefix))
      for (const key of keys.toSorted()) yield { key, sizeBytes: 0, modifiedAt: new Date(0) }
    },
    remove: () => Promise.reject(new TypeError('nothing removes objects here')),
  }
}
