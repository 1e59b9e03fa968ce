import {
  type EntryOf,
  type EventDescription,
  field,
  flag,
  number,
  text,
} from '../../platform/log.ts'
import type { Unchanged } from '../../platform/pipeline.ts'
import type { AppLogEntry } from '../log.ts'

/** The events of the functions themselves. */
export const AWS_EVENTS = {
  stage_started: {
    levels: ['info'],
    says: 'A stage has started.',
    fields: {},
  },
  stage_finished: {
    levels: ['info'],
    says: 'A stage has finished, with the fields that it passes on.',
    fields: {
      'batch?': number,
      'batches?': number,
      'committed?': flag,
      'completeTo?': field<string | null>(),
      'failures?': number,
      'files?': number,
      'generation?': text,
      'held?': number,
      'isCutShort?': flag,
      'isPending?': flag,
      'lastBatch?': number,
      'quarantined?': number,
      'unchanged?': field<Unchanged | null>(),
      durationMs: number,
    },
  },
  stage_failed: {
    levels: ['alert'],
    says: 'A stage has failed, and nothing was half-published.',
    fields: { name: text, error: text },
  },
  reports_finished: {
    levels: ['info'],
    says: 'The function has sent the reports that were due.',
    fields: { mails: number, failed: number, broken: number, durationMs: number },
  },
  secret_read_again: {
    levels: ['warn'],
    says: 'A database refused the password that was kept, so its secret is read again.',
    fields: { code: text },
  },
  time_short: {
    levels: ['warn'],
    says: "Half of the function's time is over, so the stage begins no other table or batch.",
    fields: {},
  },
  memory_short: {
    levels: ['warn'],
    says: "The function's memory is running out, so the stage begins no other table or batch.",
    fields: {},
  },
} as const satisfies Record<string, EventDescription>

type FunctionEntry = AppLogEntry | EntryOf<typeof AWS_EVENTS>

/** Like `AppLog`, but it also takes the events of the functions. */
export type FunctionLog = (entry: FunctionEntry) => void

/** What a stage may pass on to the state machine: each stage its own part. */
export type StageOutput = Omit<
  Extract<FunctionEntry, { readonly event: 'stage_finished' }>,
  'event' | 'level' | 'durationMs'
>
