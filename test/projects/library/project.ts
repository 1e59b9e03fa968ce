import type { Project } from '../../../src/platform/project/project.ts'

/**
 * A lending library: three stars (loans, open loans, order lines) over seven tables in two schemas. It stands for
 * any domain that is not Totesys: compound keys, a table that refers to itself, two tables of one
 * name, and the names that bought software leaves behind.
 */
export const library: Project = {
  name: 'library',
  title: 'the library',
  source: {
    schema: 'lending',
    tables: [
      {
        name: 'category',
        key: ['category_id'],
        columns: { category_id: 'integer', parent_id: 'integer', category_name: 'text' },
      },
      {
        name: 'book',
        key: ['isbn'],
        columns: { isbn: 'text', title: 'text', category_id: 'integer' },
      },
      {
        name: 'copy',
        key: ['isbn', 'copy_number'],
        columns: { isbn: 'text', copy_number: 'smallint', shelf: 'text' },
      },
      {
        name: 'member',
        key: ['member_id'],
        columns: { member_id: 'integer', full_name: 'text', email: 'text' },
      },
      {
        name: 'former_member',
        key: ['member_id'],
        schema: 'archive',
        relation: 'member',
        columns: { member_id: 'integer', full_name: 'text', left_on: 'date' },
      },
      {
        name: 'loan',
        key: ['isbn', 'copy_number', 'lent_at'],
        columns: {
          isbn: 'text',
          copy_number: 'smallint',
          lent_at: 'timestamp with time zone',
          member_id: 'integer',
          due_on: 'date',
          returned_on: 'date',
        },
      },
      {
        name: 'Order Line',
        key: ['Order', 'Line No.'],
        columns: {
          Order: 'integer',
          'Line No.': 'smallint',
          isbn: 'text',
          requested_by: 'integer',
          ordered_on: 'text',
          select: 'integer',
          'it\'s "net" price': 'numeric(10,3)',
          größe_µm: 'text',
          what_the_librarian_wrote_on_the_paper_slip_that_came_with_books: 'text',
        },
      },
    ],
  },
  models: [
    {
      kind: 'dimension',
      table: 'dim_category',
      sql: model('dim_category'),
      key: ['category_id'],
      nullable: ['parent_id', 'depth'],
    },
    { kind: 'dimension', table: 'dim_book', sql: model('dim_book'), key: ['isbn'] },
    {
      kind: 'dimension',
      table: 'dim_copy',
      sql: model('dim_copy'),
      key: ['isbn', 'copy_number'],
      nullable: ['shelf'],
    },
    {
      kind: 'dimension',
      table: 'dim_member',
      sql: model('dim_member'),
      key: ['member_id'],
      nullable: ['email', 'left_on'],
    },
    {
      kind: 'fact',
      table: 'fact_loan',
      sql: model('fact_loan'),
      from: 'loan',
      key: ['isbn', 'copy_number', 'lent_at'],
      recordId: 'loan_record_id',
      nullable: ['returned_on'],
      checks: [{ name: 'due_after_lent', column: 'due_on', holds: 'due_on >= lent_on' }],
      headline: new URL('./presentation/headline_loan.sql', import.meta.url),
      references: [
        { columns: ['isbn', 'copy_number'], dimension: 'dim_copy' },
        { columns: ['isbn'], dimension: 'dim_book' },
        { columns: ['member_id'], dimension: 'dim_member' },
        { columns: ['lent_on'], dimension: 'dim_date' },
        { columns: ['due_on'], dimension: 'dim_date' },
        { columns: ['returned_on'], dimension: 'dim_date' },
      ],
      sums: {
        columns: { late: '(returned_on > due_on)::integer' },
        grains: { member: ['lent_on', 'member_id'], weekday: ['weekday'] },
        derived: { weekday: 'extract(isodow from lent_on)::integer' },
      },
      telling: {
        words: { member_id: 'member', due_on: 'due', returned_on: 'returned' },
      },
    },
    {
      kind: 'fact',
      table: 'fact_open_loan',
      sql: model('fact_open_loan'),
      from: 'loan',
      follows: ['book'],
      key: ['isbn', 'copy_number', 'lent_at'],
      recordId: 'open_loan_record_id',
      nullable: ['title'],
      description: 'Books that are out',
      references: [
        { columns: ['isbn', 'copy_number'], dimension: 'dim_copy' },
        { columns: ['member_id'], dimension: 'dim_member' },
        { columns: ['due_on'], dimension: 'dim_date' },
      ],
    },
    {
      kind: 'fact',
      table: 'fact_Order Line',
      sql: model('fact_order_line'),
      from: 'Order Line',
      key: ['Order', 'Line No.'],
      recordId: 'order line record id',
      nullable: [
        'isbn',
        'requested_by',
        'größe_µm',
        'what_the_librarian_wrote_on_the_paper_slip_that_came_with_books',
      ],
      references: [
        { columns: ['isbn'], dimension: 'dim_book' },
        { columns: ['requested_by'], dimension: 'dim_member' },
        { columns: ['ordered_on'], dimension: 'dim_date' },
      ],
    },
    { kind: 'calendar', table: 'dim_date', sql: model('dim_date'), key: ['day'] },
  ],
  warehouse: { migrations: new URL('./warehouse/', import.meta.url) },
}

function model(file: string): URL {
  return new URL(`./models/${file}.sql`, import.meta.url)
}
