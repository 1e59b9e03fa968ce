import type { GenerationParts } from '../project/generation.ts'
import type { Model } from '../project/model.ts'
import type { Zone } from './zone.ts'

/** What the object `generation.json` of a generation's zone says. */
export interface GenerationDescription {
  readonly project: string
  readonly models: readonly Pick<Model, 'kind' | 'table' | 'key'>[]
  /** Missing from a zone that an older version of Tidemark began. */
  readonly parts?: GenerationParts
}

/** Writes the description of a generation. May be repeated: the first one stays. */
export async function prepareDescription(
  zone: Zone,
  description: GenerationDescription,
): Promise<void> {
  const body = `${JSON.stringify(description, undefined, 1)}\n`
  await zone.store.putIfAbsent(keyOf(zone), Buffer.from(body))
}

/** The description of a generation; undefined if its zone has none. */
export async function readDescription(zone: Zone): Promise<GenerationDescription | undefined> {
  const body = await zone.store.get(keyOf(zone))
  return body === undefined
    ? undefined
    : (JSON.parse(body.toString('utf8')) as GenerationDescription)
}

function keyOf({ prefix }: Zone): string {
  return `${prefix}generation.json`
}
