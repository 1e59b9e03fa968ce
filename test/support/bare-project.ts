import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Project } from '../../src/platform/project/project.ts'
import type { SourceTable } from '../../src/platform/project/source-contract.ts'

/** A project of source tables only: what is captured is looked at in the lake. */
export function bareProject(tables: readonly SourceTable[]): Project {
  return {
    name: 'bare',
    title: 'the bare source',
    source: { schema: 'public', tables },
    models: [],
    warehouse: { migrations: folderOf({}) },
  }
}

/** A project whose one fact is its one table, unchanged: `thing (id, ...columns)`. */
export function thingProject(columns: Readonly<Record<string, string>>): Project {
  const names = Object.keys(columns)
  const select = ['id', ...names, '_operation', '_captured_at', '_ordinal'].join(', ')
  const models = folderOf({ 'fact_thing.sql': `select ${select} from change_thing` })
  const made = names.map((name) => `${name} ${columns[name]}`).join(', ')
  return {
    ...bareProject([{ name: 'thing', key: ['id'] }]),
    models: [
      {
        kind: 'fact',
        table: 'fact_thing',
        sql: new URL('fact_thing.sql', models),
        key: ['id'],
        nullable: names,
        from: 'thing',
        recordId: 'thing_record_id',
        references: [],
      },
    ],
    warehouse: {
      migrations: folderOf({
        '001_thing.sql': `create table fact_thing (
            thing_record_id bigint primary key, id integer not null, ${made})`,
      }),
    },
  }
}

export function folderOf(files: Readonly<Record<string, string>>): URL {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-project-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return pathToFileURL(`${folder}/`)
}
