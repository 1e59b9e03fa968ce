import { asCaptured, hasWarehouse } from '../../platform/deps.ts'
import { readLakeHistory } from '../../platform/inspect/lake-history.ts'
import { readStatus } from '../../platform/inspect/status.ts'
import { verify } from '../../platform/inspect/verify.ts'
import { run } from '../../platform/pipeline.ts'
import {
  checkFactKey,
  type FactHistory,
  findFact,
  readHistory,
} from '../../platform/presentation/history.ts'
import { checkKnown, databaseTables } from '../../platform/project/known-table.ts'
import type { Fact } from '../../platform/project/model.ts'
import { openWarehouse, type Warehouse } from '../../platform/warehouse/warehouse.ts'
import { type Environment, openEnvironment } from '../environment.ts'
import type { GivenProject } from '../project-extension.ts'
import { readConfig } from '../read-config.ts'
import type {
  OpenOptions,
  RowHistory,
  RunOptions,
  RunOutcome,
  StatusOutcome,
  Tidemark,
  VerifyOutcome,
} from './tidemark.ts'

/**
 * Opens a project for a program, over the functions that the commands use. `given` is the project if
 * no other is named. Throws what `readConfig` and `openEnvironment` throw.
 */
export async function openTidemark(
  { project, settings = {}, signal = new AbortController().signal, log = () => {} }: OpenOptions,
  given: GivenProject,
): Promise<Tidemark> {
  const named = project === undefined ? {} : { TIDEMARK_PROJECT: project }
  const config = readConfig(process.env, {
    flags: { ...settings, ...named },
    added: await given.settings(),
    given,
  })
  const environment = await openEnvironment({ config, given, log, fill: true, signal })
  let closing: PromiseLike<void> | undefined
  const close = async () => await (closing ??= environment[Symbol.asyncDispose]())
  return {
    project: environment.deps.project.name,
    run: (options) => runOnce(environment, options),
    verify: (options) => verifyAll(environment, options),
    status: () => readFreshness(environment),
    history: (table, key) => readVersions(environment, { table, key }),
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function runOnce(
  { deps }: Environment,
  { confirmDeletes = [] }: RunOptions = {},
): Promise<RunOutcome> {
  // Which tables a mirror has may change with each run.
  const { project } = await asCaptured(deps)
  for (const table of confirmDeletes) checkKnown(table, databaseTables(project))
  const report = await run(deps, { confirmDeletes: new Set(confirmDeletes) })
  const { extracted, failures, quarantined, held, completeTo, durationMs } = report
  const entries = extracted?.committed === true ? Object.values(extracted.record?.tables ?? {}) : []
  const sum = (name: 'inserted' | 'updated' | 'deleted') =>
    entries.reduce((total, { counts }) => total + counts[name], 0)
  return {
    ok: failures.length === 0,
    batch: (report.collected?.record ?? extracted?.record)?.batch,
    inserted: sum('inserted'),
    updated: sum('updated'),
    deleted: sum('deleted'),
    quarantined,
    held: held.map(({ table, reason }) => ({ table, reason })),
    completeTo,
    durationMs,
    errors: failures.map(({ error }) => error),
  }
}

async function verifyAll(
  { deps }: Environment,
  { table }: { readonly table?: string } = {},
): Promise<VerifyOutcome> {
  const { isEqual, batch, snapshotAt, tables, faults } = await verify(deps, { table })
  return {
    isEqual,
    batch,
    snapshotAt,
    tables: tables.map(({ table: name, where, rows, difference }) => {
      const { missing, extra, different } = difference
      return { table: name, where, rows, missing, extra, different }
    }),
    faults: faults.map(({ place, batch: at, detail }) => ({ place, batch: at, detail })),
  }
}

async function readFreshness({ config, deps, reader, now }: Environment): Promise<StatusOutcome> {
  const promiseMs = config.TIDEMARK_PROMISE_MINUTES * 60_000
  const status = await readStatus(deps, { reader, promiseMs, now: now() })
  const { isLakeOnly, isFresh, warehouse, lagMs, batches, tables, quarantined } = status
  return {
    isLakeOnly,
    isFresh,
    completeTo: warehouse?.completeTo,
    lagMs,
    batches,
    tables: tables.map(({ table, rows }) => ({ table, rows })),
    quarantined,
  }
}

async function readVersions(
  { deps: opened, reader }: Environment,
  { table, key }: { table: string; key: Parameters<Tidemark['history']>[1] },
): Promise<RowHistory> {
  const values = (typeof key === 'object' ? key : [key]).map(String)
  const deps = await asCaptured(opened)
  const fact = findFact(deps.project, table)
  checkFactKey(fact, values)
  const {
    table: name,
    key: given,
    versions,
  } = hasWarehouse(deps)
    ? await readFromWarehouse(reader, fact, values)
    : await readLakeHistory(deps, fact, values)
  return {
    table: name,
    key: given,
    versions: versions.map(
      ({ version, operation, validFrom, validTo, batch, values: columns, changed }) => ({
        version,
        operation,
        validFrom,
        validTo,
        batch,
        values: columns,
        changed,
      }),
    ),
  }
}

async function readFromWarehouse(
  reader: Warehouse,
  fact: Fact,
  key: readonly string[],
): Promise<FactHistory> {
  await using warehouse = await openWarehouse(reader)
  return await readHistory(warehouse, fact, key)
}
