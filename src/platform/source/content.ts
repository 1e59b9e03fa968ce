import { asciiLiteral } from '../io/session.ts'
import { identifier } from '../io/sql.ts'
import { CONTENT_COUNT, CONTENT_KEY } from '../project/mirror.ts'
import type { SourceColumn, TableShape } from './table-shape.ts'

/** What the hash is called in between: no column of the table should have this name. */
const HASH = identifier('hash of the row')

const DETAILS = { nullable: false, default: null, generated: false, labels: null } as const

/**
 * A table without a key, read as its different rows: each with a hash of its values, which is its
 * key, and the number of rows that have these values. The hash covers the columns that are not null,
 * by name and value, so that an added column changes no row until it holds a value. The server groups
 * the rows.
 */
export function byContent(shape: TableShape): TableShape {
  const added: SourceColumn[] = [
    { name: CONTENT_KEY, type: 'text', baseType: 'text', ...DETAILS },
    { name: CONTENT_COUNT, type: 'bigint', baseType: 'bigint', ...DETAILS },
  ]
  const parts = shape.columns.map(({ name }) => {
    const label = asciiLiteral(`${JSON.stringify(name)}=`)
    return `coalesce(${label} || pg_catalog.quote_literal(r.${identifier(name)}::text), '')`
  })
  // In the database's own encoding, so that no character need be converted.
  const bytes = `pg_catalog.convert_to(${parts.join(' || ')}, pg_catalog.getdatabaseencoding())`
  const hash = `pg_catalog.encode(pg_catalog.sha256(${bytes}), 'hex')`
  const count = `pg_catalog.count(*) over (partition by h.${HASH})`
  const columns = shape.columns.map(({ name }) => `h.${identifier(name)}`)
  const names = [
    `h.${HASH} as ${identifier(CONTENT_KEY)}`,
    `${count} as ${identifier(CONTENT_COUNT)}`,
  ]
  return {
    ...shape,
    isByContent: true,
    keyIsUnique: true,
    hasCtidRanges: false,
    columns: [...added, ...shape.columns],
    relation: `(
      select distinct on (h.${HASH}) ${[...names, ...columns].join(', ')}
      from (select ${hash} as ${HASH}, r.* from ${shape.relation} as r) as h
      order by h.${HASH}
    )`,
  }
}
