import type { PendingBatch } from '../lake/batch.ts'
import { readExistingCommit } from '../lake/batch-log.ts'
import { sumRows } from '../lake/table-entry.ts'
import { openFiles } from '../lake/zone.ts'
import { readModel } from '../project/generation.ts'
import type { Fact } from '../project/model.ts'
import { capturedTables } from '../project/source-contract.ts'
import type { ChangeBatch } from './fact-mapping.ts'
import { daysOf, type FactVersions, mapFact } from './fact.ts'
import { followFact } from './following-fact.ts'
import { modelsDue, reachOf, type Reads, type TransformInput } from './inputs.ts'
import { parseSelect } from './lineage/parsed-select.ts'
import { withModelErrors } from './model-error.ts'
import type { RefusedChanges } from './refused-changes.ts'
import type { SourceView } from './source-files.ts'
import { listChanged, type SourceTables } from './source-tables.ts'
import { viewOf } from './source-view.ts'

/** What facts are made from, beside the batch's input. */
export interface FactsInput {
  readonly refused: ReadonlyMap<string, RefusedChanges>
  readonly reads: Reads
  readonly opened: SourceTables
}

/** Makes the versions of every fact that a batch can change. */
export async function mapFacts(
  batch: PendingBatch,
  input: TransformInput,
  made: FactsInput,
): Promise<Map<Fact, FactVersions>> {
  const facts = new Map<Fact, FactVersions>()
  for (const model of modelsDue(input, made.reads)) {
    if (model.kind !== 'fact') continue
    const view = made.opened.views.get(model.from)
    if (view === undefined) continue
    const versions = await withModelErrors({ kind: 'Model', name: model.table }, () =>
      model.follows === undefined
        ? mapOwnChanges(batch, model, { ...input, view })
        : followTables(batch, model, { ...input, ...made, view }),
    )
    facts.set(model, versions)
  }
  return facts
}

async function mapOwnChanges(
  batch: PendingBatch,
  model: Fact,
  { view, ...input }: TransformInput & { readonly view: SourceView },
): Promise<FactVersions> {
  const { project, ingestion, record, previous, limits } = input
  const before = previous?.tables[model.table]
  const span = await readSpan(input, { view, since: before?.held?.since ?? record.batch })
  const days = daysOf(project, model).map(({ column }) => column)
  return await mapFact(batch, model, { ingestion, span, before, days, limits })
}

async function followTables(
  batch: PendingBatch,
  model: Fact,
  { view, refused, reads, opened, ...input }: TransformInput & FactsInput & { view: SourceView },
): Promise<FactVersions> {
  const { project, previous, limits } = input
  const names = reads.get(model) ?? []
  const parsed = await parseSelect({ db: batch.db, memory: batch.zone.memory }, readModel(model))
  const joinsItself = parsed.names.has(model.from.toLowerCase())
  const hidden = { before: false, now: false, others: false }
  for (const name of names) {
    const own = opened.views.get(name)
    if (own === undefined) continue
    const before = previous?.tables[name]
    hidden.before ||= sumRows(before?.open ?? []) > 0
    // Without a contract, a table's hidden rows are not in quarantine.
    const isHiding = own.isContract
      ? sumRows((refused.get(name)?.entry ?? before)?.open ?? []) > 0
      : opened.hidden(name) !== undefined
    hidden.now ||= isHiding
    if (name !== model.from || joinsItself) hidden.others ||= isHiding
  }
  const isSettled = !hidden.before && !hidden.now
  return await followFact(batch, model, {
    from: view,
    views: [...opened.views.values()],
    changed: await listChanged(model, input, { reads, opened }),
    // A hidden row may have kept any row from leaving.
    reach: isSettled ? reachOf(model, input, reads) : 'all',
    hidden: opened.hidden(model.from),
    isWaiting: hidden.others,
    before: previous?.tables[model.table],
    days: daysOf(project, model).map(({ column }) => column),
    limits,
  })
}

/** The batches from `since` to this one that changed a source table, in order. */
async function readSpan(
  { project, ingestion, record, latest }: TransformInput,
  { view, since }: { view: SourceView; since: number },
): Promise<ChangeBatch[]> {
  const source = capturedTables(project.source).find(({ name }) => name === view.name)
  const span: ChangeBatch[] = []
  for (let number = since; number <= record.batch; number++) {
    const own = number === record.batch ? record : await readExistingCommit(ingestion, number)
    const files = own.tables[view.name]?.changes ?? []
    if (files.length === 0 || source === undefined) continue
    // Without a contract, each batch is read in the columns in which it was captured.
    const then = await viewOf(source, { ingestion, record: own, latest })
    span.push({ number, view: then ?? view, paths: await openFiles(ingestion, files) })
  }
  return span
}
