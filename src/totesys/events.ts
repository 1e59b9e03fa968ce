import { type EventDescription, number, text } from '../platform/log.ts'

/** The events that Totesys adds to the log of the server. */
export const TOTESYS_EVENTS = {
  payments_read: {
    levels: ['info'],
    says: 'Somebody was shown payments.',
    fields: { path: text, status: number, subject: text },
  },
} as const satisfies Record<string, EventDescription>
