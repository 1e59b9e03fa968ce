import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { ConfigError, ConflictError } from '../../../platform/errors.ts'
import { readRelationSchemas } from '../../../platform/presentation/relation-schemas.ts'
import { presentModels } from '../../../platform/warehouse/derive-tables.ts'
import { inSnapshot, openWarehouse } from '../../../platform/warehouse/warehouse.ts'
import { type Environment, openEnvironment } from '../../environment.ts'
import { formatNumber } from '../../format.ts'
import { printTypes } from '../../types/print-types.ts'
import { readSourceNotes } from '../../types/source-notes.ts'
import { tableNames, type TypedTable, typeTables } from '../../types/typed-tables.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'

/** `tidemark types`: writes the warehouse as types for Kysely, or checks that a file has them. */
export async function typesCommand(
  { output, config, given, signal }: CommandContext,
  { out, check }: { out: string | undefined; check: boolean },
): Promise<number> {
  if (check && out === undefined) {
    throw new ConfigError('--check needs the file to compare', {
      code: 'USAGE',
      hint: 'tidemark types --check --out warehouse.ts',
    })
  }
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    warehouseFor: '`types`',
    signal,
  })
  const tables = await readTables(environment)
  const { title } = environment.deps.project
  const text = printTypes(tables, { title, schema: environment.reader.schema })
  const written = out === undefined ? undefined : await readIfThere(out)
  const isCurrent = written === text
  if (check && !isCurrent) throw outdated(out ?? '', written)
  if (out !== undefined && !isCurrent) {
    await mkdir(dirname(out), { recursive: true })
    await writeFile(out, text)
  }
  output.conclude({
    event: 'types',
    tables: tables.length,
    changed: out !== undefined && !isCurrent,
    ...(out === undefined ? { text } : { file: out }),
  })
  if (out === undefined) output.print(text.trimEnd())
  else {
    const what = isCurrent
      ? 'is up to date'
      : `has the types of ${formatNumber(tables.length, 'table')}`
    output.print(`  ${output.style('green', '✓')} ${out} ${what}`)
  }
  return EXIT.done
}

/** The tables of the warehouse, in one snapshot of it. */
async function readTables({ deps, reader }: Environment): Promise<TypedTable[]> {
  const sourceNotes = await readSourceNotes(deps)
  await using warehouse = await openWarehouse(reader)
  return await inSnapshot(warehouse, async () => {
    const models = await presentModels(warehouse.client, deps.project)
    const relations = await readRelationSchemas(warehouse, {
      names: tableNames(models),
      withViews: deps.project.warehouse !== undefined,
    })
    if (relations.length > 0) return typeTables(relations, { models, sourceNotes })
    throw new ConfigError('The warehouse has no table that this user may read', {
      code: 'WAREHOUSE_EMPTY',
      hint: 'tidemark run   which loads it and gives the reader its rights',
    })
  })
}

async function readIfThere(file: string): Promise<string | undefined> {
  return await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
}

function outdated(file: string, written: string | undefined): ConflictError {
  const what = written === undefined ? 'does not exist' : 'does not fit the warehouse any more'
  return new ConflictError(`${file} ${what}`, {
    code: 'TYPES_OUTDATED',
    hint: `tidemark types --out ${file}   then compile the programs that use it`,
  })
}
