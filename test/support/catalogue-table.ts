import type { CatalogueTable } from '../../src/platform/project/catalogue-table.ts'

/** A table of `schema.relation` with the columns, of which those with a `!` are its key. */
export function catalogueTable(
  place: string,
  columns = 'id! name password',
  change: Partial<CatalogueTable> = {},
): CatalogueTable {
  const [schema = '', ...rest] = place.split('.')
  const names = columns.split(' ')
  const key = names.filter((name) => name.endsWith('!')).map((name) => name.slice(0, -1))
  return {
    schema,
    relation: rest.join('.'),
    kind: 'table',
    isReadable: true,
    columns: names.map((name) => ({
      name: name.replace('!', ''),
      type: 'text',
      baseType: 'text',
      isEnum: false,
      nullable: true,
      isReadable: true,
      comment: undefined,
    })),
    key: key.length > 0 ? key : undefined,
    keyFrom: key.length > 0 ? 'primary key' : undefined,
    comment: undefined,
    foreignKeys: [],
    rows: undefined,
    bytes: undefined,
    ...change,
  }
}
