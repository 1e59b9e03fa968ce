import { type S3Store, s3Store } from '../../src/platform/lake/store/s3-store.ts'
import type { S3Server } from './s3-server.ts'
import { createSystem, type TestSystem } from './system.ts'

/** A test system with both zones in a bucket of its own. */
export async function createSystemOnS3(server: S3Server): Promise<TestSystem & { bucket: string }> {
  const bucket = await server.createBucket()
  const stores: S3Store[] = []
  const system = await createSystem({
    store: (prefix) => {
      const store = s3Store({ bucket, prefix, endpoint: server.endpoint })
      stores.push(store)
      return store
    },
  })
  return {
    ...system,
    bucket,
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store[Symbol.asyncDispose]()
      await system[Symbol.asyncDispose]()
    },
  }
}
