import type { Client } from '../io/postgres.ts'
import type { TableEntry } from '../lake/commit-record.ts'
import { changedRows } from '../lake/table-entry.ts'
import type { Fact } from '../project/model.ts'
import type { Project } from '../project/project.ts'
import { addRevisions, fillRevisions } from '../warehouse/revisions.ts'

/**
 * Adds the revisions of a batch. Call it once, in the load's transaction, after the fact has its
 * versions and its index on the key. `isEmpty` says that the fact was empty before.
 */
export async function loadRevisions(
  client: Client,
  { fact, entry, isEmpty }: { fact: Fact; entry: TableEntry; isEmpty: boolean },
): Promise<void> {
  if (fact.sums === undefined) return
  // The first version of every key, and nothing else.
  if (isEmpty && entry.changesSince === undefined) return
  const upTo = entry.records ?? 0
  await addRevisions(client, fact, { after: upTo - changedRows(entry.counts), upTo })
}

/** Makes the revisions of all facts from their versions. */
export async function fillAllRevisions(client: Client, { models }: Project): Promise<void> {
  for (const model of models) {
    if (model.kind === 'fact' && model.sums !== undefined) await fillRevisions(client, model)
  }
}
