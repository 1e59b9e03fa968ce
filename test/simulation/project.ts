import type { Project } from '../../src/platform/project/project.ts'

/** The project of the simulation: one fact, and one dimension that it refers to. */
export const SHOP: Project = {
  name: 'shop',
  title: 'the simulated shop',
  source: {
    schema: 'public',
    tables: [
      { name: 'customers', key: ['id'], columns: { id: 'integer', name: 'text' } },
      {
        name: 'orders',
        key: ['id'],
        columns: { id: 'integer', customer_id: 'integer', units: 'integer' },
      },
    ],
  },
  models: [
    {
      kind: 'dimension',
      table: 'dim_customer',
      key: ['customer_id'],
      nullable: ['name'],
      sql: 'select id as customer_id, name from customers',
    },
    {
      kind: 'fact',
      table: 'fact_order',
      key: ['order_id'],
      from: 'orders',
      recordId: 'order_record_id',
      nullable: ['units'],
      references: [{ columns: ['customer_id'], dimension: 'dim_customer' }],
      sql: `select id as order_id, customer_id, units, _operation, _captured_at, _ordinal
        from change_orders`,
    },
  ],
}
