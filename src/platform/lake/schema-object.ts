import { ContractError } from '../errors.ts'
import type { Zone } from './zone.ts'

/**
 * The content of an archived schema, given its whole key. Throws `ContractError`
 * (`LAKE_OBJECT_MISSING`) if it is missing.
 */
export async function readSchemaObject({ store }: Zone, key: string): Promise<unknown> {
  const body = await store.get(key)
  if (body !== undefined) return JSON.parse(body.toString('utf8'))
  throw new ContractError(`The schema ${key} is missing from ${store.location}`, {
    code: 'LAKE_OBJECT_MISSING',
    hint: 'restore the object from a backup of the zone',
  })
}
