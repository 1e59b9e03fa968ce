import { boundedMap, inMemory, type Memory } from '../io/memory.ts'
import { generationOf, withEdition } from '../project/generation.ts'
import type { Project } from '../project/project.ts'
import type { ObjectStore } from './store/object-store.ts'

/** The processed zone, and the project whose generation it holds. */
export interface GenerationPlace {
  readonly store: ObjectStore
  readonly project: Project
}

/**
 * What the object `batch/edition.json` of an edition says. It makes the edition exist. Beside the commit
 * records, every stage may read it.
 */
export interface EditionBeginning {
  /**
   * The end of the ingestion zone when a rebuild began the edition. Until the edition has this batch,
   * another rebuild goes on with it.
   */
  readonly upTo: number
}

/** The newest edition that this process has seen, by store and generation. */
const newestIn = inMemory(() => boundedMap<string, number>(100))

/**
 * The newest edition of the project's generation: the one in force. The first one always exists. Costs
 * one request, and one more for each edition that this process has not seen. Lists nothing. Begins
 * with the newest edition that this process has seen, and notices if that is gone.
 */
export async function findEdition({
  store,
  project,
  memory,
}: GenerationPlace & { readonly memory: Memory }): Promise<number> {
  const has = async (edition: number) =>
    edition === 1 || (await store.get(keyOf(withEdition(project, edition)))) !== undefined
  const newest = newestIn(memory)
  const place = `${store.location} ${generationOf(withEdition(project, 1))}`
  const seen = newest.get(place) ?? 1
  const [isThere, isFollowed] = await Promise.all([has(seen), has(seen + 1)])
  let edition = isThere ? seen : 1
  if (isThere && isFollowed) edition += 1
  if (!isThere || isFollowed) while (await has(edition + 1)) edition += 1
  newest.set(place, edition)
  return edition
}

/** Makes the project's edition exist. May be repeated: what the first call says stays. */
export async function prepareEdition(
  { store, project }: GenerationPlace,
  beginning: EditionBeginning,
): Promise<void> {
  await store.putIfAbsent(keyOf(project), Buffer.from(`${JSON.stringify(beginning)}\n`))
}

/** How the project's edition began; undefined if no rebuild began it, or if the object is damaged. */
export async function readBeginning({
  store,
  project,
}: GenerationPlace): Promise<EditionBeginning | undefined> {
  const body = await store.get(keyOf(project))
  const [, upTo] = /^\{"upTo":(\d+)\}\s*$/.exec(body?.toString('utf8') ?? '') ?? []
  return upTo === undefined ? undefined : { upTo: Number(upTo) }
}

function keyOf(project: Project): string {
  return `${generationOf(project)}/batch/edition.json`
}
