import {
  type EntryOf,
  type EventDescription,
  EVENTS,
  field,
  flag,
  number,
  text,
  texts,
} from '../platform/log.ts'

/** The events of what Tidemark starts and keeps on this machine. */
export const MACHINE_EVENTS = {
  postgres_started: {
    levels: ['info'],
    says: 'The embedded Postgres has started.',
    fields: { version: text, address: text, durationMs: number },
  },
  source_filled: {
    levels: ['info'],
    says: 'The embedded source was filled with its first rows.',
    fields: { tables: number, rows: number, durationMs: number },
  },
  scratch_swept: {
    levels: ['info'],
    says: 'Scratch folders of processes that have ended were removed.',
    fields: { folders: number },
  },
} as const satisfies Record<string, EventDescription>

/** The events of the server, wherever it runs. */
export const SERVER_EVENTS = {
  reserved_read: {
    levels: ['info'],
    says: 'Somebody was shown what only one group may see.',
    fields: { path: text, status: number, subject: text },
  },
  sql_asked: {
    levels: ['info'],
    says: 'Somebody asked a question in SQL and got rows or an SQL error.',
    fields: { subject: text, 'rows?': number, 'durationMs?': number, 'sqlState?': text },
  },
  access_refused: {
    levels: ['warn'],
    says: 'The server refused a request without a valid token or the right group.',
    fields: { path: text, status: number, reason: text, 'subject?': text },
  },
  request_failed: {
    levels: ['warn', 'alert'],
    says: 'The server could not answer a request.',
    fields: { path: text, status: number, code: text, 'message?': text, 'at?': text },
  },
  keys_unreachable: {
    levels: ['alert'],
    says: "The issuer's keys cannot be fetched, so no token can be checked.",
    fields: { path: text },
  },
  reader_unbounded: {
    levels: ['warn'],
    says: "The warehouse's reader role lacks a limit, so one question can fill the disk.",
    fields: { what: text, fix: text },
  },
} as const satisfies Record<string, EventDescription>

/** The events of reports and thresholds, wherever they are sent from. */
export const REPORT_EVENTS = {
  report_sent: {
    levels: ['info'],
    says: 'The mail server has taken or refused the mail of a report or a threshold for every recipient.',
    fields: { report: text, mails: number, refused: number, isLate: flag },
  },
  report_failed: {
    levels: ['warn', 'alert'],
    says: 'A report cannot be sent now, and Tidemark tries again later.',
    fields: { report: text, code: text, message: text, 'hint?': text },
  },
  report_given_up: {
    levels: ['alert'],
    says: 'A report could not be sent for a day, and Tidemark gives it up.',
    fields: { report: text, attempts: number },
  },
  report_broken: {
    levels: ['alert'],
    says: 'A declaration in the reports file is not valid, and the others are sent.',
    fields: { report: text, faults: texts },
  },
  reports_unreadable: {
    levels: ['alert'],
    says: 'The reports file, or the state of the reports, cannot be read.',
    fields: { code: text, message: text, 'hint?': text },
  },
  recipient_refused: {
    levels: ['alert'],
    says: 'The mail server refuses a recipient for good: the one at this place in the list, from 1.',
    fields: { report: text, recipient: number, message: text },
  },
  threshold_crossed: {
    levels: ['info'],
    says: 'A watched figure has crossed its threshold, or is back.',
    fields: { report: text, isCrossed: flag },
  },
} as const satisfies Record<string, EventDescription>

/** The events of alerts on this machine. */
export const ALERT_EVENTS = {
  alert_sent: {
    levels: ['info'],
    says: 'A recipient of alerts was told that this many causes began, are over or last: the one at this place in the settings, from 1.',
    fields: {
      channel: field<'mail' | 'webhook'>(),
      recipient: number,
      begun: number,
      over: number,
      lasting: number,
    },
  },
  alert_failed: {
    levels: ['warn'],
    says: 'An alert cannot be sent or recorded now, and Tidemark tries again with the next run; no run waits for it.',
    fields: {
      channel: field<'mail' | 'webhook' | 'state' | 'heartbeat'>(),
      'recipient?': number,
      code: text,
      message: text,
      'hint?': text,
    },
  },
} as const satisfies Record<string, EventDescription>

/**
 * Everything that is logged outside AWS: by the platform, this machine, the server, reports and
 * alerts.
 */
export const APP_EVENTS = {
  ...EVENTS,
  ...MACHINE_EVENTS,
  ...SERVER_EVENTS,
  ...REPORT_EVENTS,
  ...ALERT_EVENTS,
}

export type AppLogEntry = EntryOf<typeof APP_EVENTS>

/** Takes the events of the platform and of the apps, so it can be used as the platform's `Log`. */
export type AppLog = (entry: AppLogEntry) => void
