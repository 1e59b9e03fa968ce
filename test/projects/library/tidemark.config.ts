import { defineProject } from '../../../src/platform/project/project-config.ts'

/**
 * A lending library: three stars (loans, open loans, order lines) over seven tables in two schemas.
 * It stands for any domain that is not Totesys: compound keys, a table that refers to itself, two
 * tables with one name, and the names that bought software leaves behind.
 */
export default defineProject({
  name: 'library',
  title: 'the library',
  source: {
    schema: 'lending',
    tables: {
      category: {
        key: 'category_id',
        columns: { category_id: 'integer', parent_id: 'integer', category_name: 'text' },
      },
      book: {
        key: 'isbn',
        columns: { isbn: 'text', title: 'text', category_id: 'integer' },
      },
      copy: {
        key: ['isbn', 'copy_number'],
        columns: { isbn: 'text', copy_number: 'smallint', shelf: 'text' },
      },
      member: {
        key: 'member_id',
        columns: { member_id: 'integer', full_name: 'text', email: 'text' },
      },
      former_member: {
        key: 'member_id',
        schema: 'archive',
        relation: 'member',
        columns: { member_id: 'integer', full_name: 'text', left_on: 'date' },
      },
      loan: {
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
      'Order Line': {
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
    },
  },
  models: {
    dim_category: {
      key: 'category_id',
      nullable: ['parent_id', 'depth'],
    },
    dim_book: { key: 'isbn' },
    dim_copy: {
      key: ['isbn', 'copy_number'],
      nullable: ['shelf'],
    },
    dim_member: {
      key: 'member_id',
      nullable: ['email', 'left_on'],
    },
    fact_loan: {
      from: 'loan',
      key: ['isbn', 'copy_number', 'lent_at'],
      nullable: ['returned_on'],
      checks: [{ name: 'due_after_lent', column: 'due_on', holds: 'due_on >= lent_on' }],
      headline: 'presentation/headline_loan.sql',
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
    fact_open_loan: {
      from: 'loan',
      follows: ['book'],
      key: ['isbn', 'copy_number', 'lent_at'],
      nullable: ['title'],
      description: 'Books that are out',
      references: [
        { columns: ['isbn', 'copy_number'], dimension: 'dim_copy' },
        { columns: ['member_id'], dimension: 'dim_member' },
        { columns: ['due_on'], dimension: 'dim_date' },
      ],
    },
    'fact_Order Line': {
      from: 'Order Line',
      key: ['Order', 'Line No.'],
      recordId: 'order line record id',
      nullable: [
        'isbn',
        'requested_by',
        'größe_µm',
        'what_the_librarian_wrote_on_the_paper_slip_that_came_with_books',
      ],
      references: { isbn: 'dim_book', requested_by: 'dim_member', ordered_on: 'dim_date' },
    },
    dim_date: { key: 'day', calendar: true },
  },
})
