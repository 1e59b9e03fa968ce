import { type Deps, inForce, openScratchDb, processedZone } from '../deps.ts'
import { duckLiteral, identifier } from '../io/sql.ts'
import { readExistingCommit, readLastCommit } from '../lake/batch-log.ts'
import type { CommitRecord, FileRef } from '../lake/commit-record.ts'
import { lakeColumns, readPublishedSchema, versionColumns } from '../lake/published-schema.ts'
import { exactText } from '../lake/quarantine/quarantine.ts'
import { selectFiles } from '../lake/table-state.ts'
import { openFiles, type Zone } from '../lake/zone.ts'
import { checkFactKey, type FactHistory, type FactVersion } from '../presentation/history.ts'
import { historyColumns } from '../project/fact-names.ts'
import { generationOf } from '../project/generation.ts'
import type { Fact } from '../project/model.ts'

/**
 * Reads every version of one fact from the processed zone, oldest first; none for a key that never
 * existed. For a lake without a warehouse: it looks into every file of the fact. Throws `ConfigError`
 * (`BAD_KEY`) if the values cannot be a key of this fact.
 */
export async function readLakeHistory(
  deps: Deps,
  fact: Fact,
  key: readonly string[],
): Promise<FactHistory> {
  checkFactKey(fact, key)
  const { project } = await inForce(deps)
  const zone = processedZone(deps, generationOf(project))
  const last = await readLastCommit(zone)
  const fingerprint = last?.tables[fact.table]?.fingerprint
  const empty = { table: fact.from, key, headline: undefined, versions: [] }
  if (last === undefined || fingerprint === undefined) return empty
  const schema = await readPublishedSchema(zone, fact.table, fingerprint)
  const own = lakeColumns(schema)
  const { operation, recordedAt, batch } = historyColumns(fact)
  const paths = await openFiles(zone, await filesOf(zone, last, fact.table))
  await using db = await openScratchDb(deps)
  const rows = await selectFiles(db, paths, versionColumns(fact, schema))
  const isKey = fact.key.map((name, index) => {
    const type = own.find((column) => column.name === name)?.type ?? 'VARCHAR'
    return `${identifier(name)} = try_cast(${duckLiteral(key[index] ?? '')} as ${type})`
  })
  const values = own.map(({ name, type }) => exactText(name, type)).join(', ')
  const found = await db.rows<{
    id: string
    operation: FactVersion['operation']
    moment: string
    batch: string
    texts: string
  }>(`
    select
        ${identifier(fact.recordId)}::varchar as id,
        ${identifier(operation)} as operation,
        strftime(${identifier(recordedAt)} at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ') as moment,
        ${identifier(batch)}::varchar as batch,
        to_json([${values}])::varchar as texts
    from (${rows})
    where ${isKey.join(' and ')}
    order by ${identifier(fact.recordId)}`)
  const versions: FactVersion[] = []
  for (const [index, row] of found.entries()) {
    const texts = JSON.parse(row.texts) as (string | null)[]
    const content = Object.fromEntries(own.map(({ name }, at) => [name, texts[at] ?? undefined]))
    const before = versions.at(-1)?.values
    versions.push({
      version: index + 1,
      recordId: row.id,
      operation: row.operation,
      validFrom: row.moment,
      validTo: found[index + 1]?.moment,
      batch: Number(row.batch),
      values: content,
      changed:
        before === undefined
          ? []
          : Object.keys(content).filter((name) => content[name] !== before[name]),
    })
  }
  return { ...empty, versions }
}

/** A table's change files of every batch, in order. */
async function filesOf(zone: Zone, last: CommitRecord, table: string): Promise<FileRef[]> {
  const files: FileRef[] = []
  for (let number = 1; number <= last.batch; number++) {
    const record = number === last.batch ? last : await readExistingCommit(zone, number)
    files.push(...(record.tables[table]?.changes ?? []))
  }
  return files
}
