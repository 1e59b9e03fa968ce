import type { SourceContract } from '../../platform/project.ts'

/**
 * The eleven tables of the Totesys database that are captured, each with its key. A table is
 * listed after the tables it refers to. Whatever else the schema holds (`_prisma_migrations`) is
 * left alone.
 */
export const contract: SourceContract = {
  schema: 'public',
  tables: [
    { name: 'address', key: ['address_id'] },
    { name: 'counterparty', key: ['counterparty_id'] },
    { name: 'currency', key: ['currency_id'] },
    { name: 'department', key: ['department_id'] },
    { name: 'design', key: ['design_id'] },
    { name: 'payment_type', key: ['payment_type_id'] },
    { name: 'staff', key: ['staff_id'] },
    { name: 'sales_order', key: ['sales_order_id'] },
    { name: 'purchase_order', key: ['purchase_order_id'] },
    { name: 'transaction', key: ['transaction_id'] },
    { name: 'payment', key: ['payment_id'] },
  ],
}
