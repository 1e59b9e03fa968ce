import { readFile } from 'node:fs/promises'
import { identifier } from '../../../src/platform/io/sql.ts'
import { createSystem, type TestSystem } from '../../support/system.ts'
import { library } from './project.ts'

/** A whole Tidemark over an empty library, whose reader may read both schemas. */
export async function createLibrary(): Promise<TestSystem> {
  const system = await createSystem({ project: library, template: 'empty' })
  await system.sql.query(await readFile(new URL('./schema.sql', import.meta.url), 'utf8'))
  await system.sql.query(`
    grant usage on schema lending, archive to ${system.source.name}_reader;
    grant select on all tables in schema lending, archive to ${system.source.name}_reader`)
  return system
}

/**
 * A small year at the library, one element a run: beginnings, updates and a member who leaves, the
 * tables altered, deletions and a key that moves, and what was deleted back again.
 */
export const HISTORY: readonly string[] = [
  `insert into lending.category values
      (1, null, 'Science'), (2, 1, 'Physics'), (3, 2, 'Optics'), (4, null, 'Tales');
    insert into lending.book values
      ('978-0', 'Opticks', 3), ('978-1', 'Grimm', 4), ('978-2', 'Unsorted', null);
    insert into lending.copy values
      ('978-0', 1, 'A1'), ('978-0', 2, null), ('978-1', 1, 'B7'), ('978-2', 1, 'C');
    insert into lending.member values
      (1, 'Ada', 'ada@example.com'), (2, 'Björk', null), (3, '李', '');
    insert into archive.member values (9, 'Edmond', '2023-12-31');
    insert into lending.loan values
      ('978-0', 1, '2024-02-29 23:59:59.999999+00', 1, '2024-03-14', null),
      ('978-0', 2, '2024-02-29 23:59:59.999999+00', 2, '2024-03-14', null),
      ('978-1', 1, '2024-03-01 09:30:00+01', 9, '2024-03-15', '2024-03-02');
    insert into lending."Order Line" values
      (1, 1, '978-0', 1, '2024-01-02', 2, 12.345, '29 × 21', null),
      (1, 2, null, null, '2024-01-02', 1, 0.001, null, ''),
      (2, 1, '978-9', 8, '2024-01-03', 3, -7, '∅', 'not in the catalogue yet'),
      (2, 2, '978-1', 2, 'TBC', 1, 5, null, null)`,
  `update lending.loan set returned_on = '2024-03-10' where copy_number = 2;
    update lending.category set category_name = 'Natural science' where category_id = 1;
    update lending.category set category_name = 'Light' where category_id = 3;
    delete from lending.member where member_id = 2;
    insert into archive.member values (2, 'Björk', '2024-03-11');
    update lending."Order Line" set ordered_on = '2024-01-04' where "Order" = 2 and "Line No." = 2`,
  `alter table lending.member add column phone text default '0';
    alter table lending."Order Line" rename column requested_by to asked_by;
    alter table lending."Order Line" rename column asked_by to requested_by;
    alter table lending.loan drop column returned_on;
    alter table lending.loan add column returned_on date;
    update lending.loan set returned_on = '2024-03-12' where member_id = 1;
    alter table lending.copy alter column copy_number type integer;
    insert into lending.book values ('978-9', 'Late arrival', 4)`,
  `delete from lending.loan where isbn = '978-1';
    update lending.loan set copy_number = 3 where copy_number = 2;
    update lending.category set parent_id = 3 where category_id = 1;
    delete from lending.category where category_id = 4;
    delete from lending."Order Line" where "Order" = 1`,
  `insert into lending.loan (isbn, copy_number, lent_at, member_id, due_on) values
      ('978-1', 1, '2024-03-01 08:30:00+00', 1, '2024-12-31');
    insert into lending."Order Line" values (1, 1, '978-0', 1, '2024-01-02', 2, 12.345, '29 × 21', null);
    update lending.category set parent_id = null where category_id = 1`,
]

/** Applies the first steps of the history, each followed by a run. */
export async function runHistory(
  system: TestSystem,
  steps: readonly string[] = HISTORY,
): Promise<void> {
  for (const step of steps) {
    await system.sql.query(step)
    await system.run()
  }
}

/** Columns that differ from one run of the tests to the next. */
const MOMENTS = new Set(['recorded_at', 'valid_from', 'valid_to'])

/**
 * A relation as text: a line of its columns, then a line a row, in the order of the first
 * column. Leaves out the columns of `without`, by default the moments of capture.
 */
export async function dump(
  { query }: TestSystem,
  relation: string,
  without: ReadonlySet<string> = MOMENTS,
): Promise<string[]> {
  const columns = await query<{ name: string; type: string }>(
    `select attname as name, format_type(atttypid, atttypmod) as type from pg_attribute
     where attrelid = $1::regclass and attnum > 0 and not attisdropped order by attnum`,
    [identifier(relation)],
  )
  const names = columns.map(({ name }) => name).filter((name) => !without.has(name))
  const values = names.map((name) => `${identifier(name)}::text`).join(', ')
  const [first] = columns
  const order = `${identifier(first?.name ?? '')}${first?.type === 'character varying' ? ' collate "C"' : ''}`
  const rows = await query<{ row: string }>(`
    select json_build_array(${values})::text as row from ${identifier(relation)}
    order by ${order}, (json_build_array(${values})::text) collate "C"`)
  return [JSON.stringify(names), ...rows.map(({ row }) => row)]
}

/** The star tables and, in place of a fact, its whole history. */
export function relations(): { dimensions: string[]; facts: string[] } {
  const of = (isFact: boolean) =>
    library.models.filter(({ kind }) => (kind === 'fact') === isFact).map(({ table }) => table)
  return { dimensions: of(false), facts: of(true) }
}
