import type { ServerExtension } from '../../apps/server/server-extension.ts'
import { describePayments, paymentSchemas } from './api.ts'
import { readOrderSection } from './order-section.ts'
import { paymentRoutes } from './routes.ts'

/** The payments API, and the payments of an order on its page. */
export const serverExtension: ServerExtension = {
  api: {
    title: 'Tidemark payments',
    holds: 'The scheduled payments of Totesys, and the answers to the questions',
    tag: 'payments',
    schemas: paymentSchemas,
    onlyJson: /^\/payments\//,
    paths: describePayments,
    routes: paymentRoutes,
  },
  addresses: [{ title: 'Payments', path: '/payments/next5' }],
  readFactSection: readOrderSection,
}
