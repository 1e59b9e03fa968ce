import type { ContractError } from '../errors.ts'
import type { CatalogueTable } from '../project/catalogue-table.ts'
import type { SourceContract } from '../project/source-contract.ts'
import { readCatalogue } from './catalogue.ts'
import {
  type CopiedRows,
  copyKeys,
  copyRecent,
  copyWhole,
  type CountedTable,
  countTables,
  type TableCount,
} from './copy.ts'
import type { SnapshotIdentity } from './identity.ts'
import { openSnapshot, type PostgresSnapshot, type SnapshotOptions } from './snapshot.ts'
import type { TableShape } from './table-shape.ts'
import { checkNotRewritten, readTables, readUnlisted, type SourceState } from './tables.ts'
import type { Database } from '../io/database.ts'

/**
 * What a batch asks of its source, all at one moment (I2). Postgres answers it with `openSource`.
 * Each method is described where Postgres implements it, under the same name.
 */
export interface SourceSnapshot extends AsyncDisposable {
  readonly identity: SnapshotIdentity
  /** Makes sure that this moment is not before an earlier snapshot, see `PostgresSnapshot`. */
  reach(before: SnapshotIdentity): Promise<void>
  readTables(contract: SourceContract): Promise<SourceState[]>
  readCatalogue(): Promise<CatalogueTable[]>
  readUnlisted(contract: SourceContract): Promise<string[]>
  checkNotRewritten(contract: SourceContract): Promise<void>
  countTables(
    tables: readonly CountedTable[],
    options?: { connections?: number },
  ): Promise<Map<string, TableCount | ContractError>>
  copyRecent(
    shape: TableShape,
    options: { age: number; recentIn?: TableCount['recentIn'] | undefined; folder: string },
  ): Promise<CopiedRows>
  copyKeys(shape: TableShape, options: { folder: string }): Promise<CopiedRows>
  copyWhole(
    shape: TableShape,
    options: { folder: string; connections: number },
  ): AsyncGenerator<CopiedRows>
}

/** A snapshot in Postgres, with its connections for everything else that is read from it. */
export type PostgresSource = PostgresSnapshot & SourceSnapshot

/** Opens a snapshot of a Postgres database. Throws what `openSnapshot` throws. */
export async function openSource(
  database: Database,
  options?: SnapshotOptions,
): Promise<PostgresSource> {
  const snapshot = await openSnapshot(database, options)
  return Object.assign(snapshot, {
    readTables: (contract: SourceContract) => readTables(snapshot, contract),
    readCatalogue: () => readCatalogue(snapshot),
    readUnlisted: (contract: SourceContract) => readUnlisted(snapshot, contract),
    checkNotRewritten: (contract: SourceContract) => checkNotRewritten(snapshot, contract),
    countTables: (...given: Parameters<SourceSnapshot['countTables']>) =>
      countTables(snapshot, ...given),
    copyRecent: (...given: Parameters<SourceSnapshot['copyRecent']>) =>
      copyRecent(snapshot, ...given),
    copyKeys: (...given: Parameters<SourceSnapshot['copyKeys']>) => copyKeys(snapshot, ...given),
    copyWhole: (...given: Parameters<SourceSnapshot['copyWhole']>) => copyWhole(snapshot, ...given),
  })
}
