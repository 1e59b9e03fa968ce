import type { Pulse } from '../alerts/heartbeat.ts'
import type { CatalogTable } from '../../platform/inspect/catalog.ts'
import type { Diff } from '../../platform/inspect/diff.ts'
import type { Finding } from '../../platform/inspect/finding.ts'
import type { Plan } from '../../platform/inspect/plan.ts'
import type { QuarantineEntry, Replay } from '../../platform/inspect/quarantine.ts'
import type { FactCounts, Status } from '../../platform/inspect/status.ts'
import type { SweptZone } from '../../platform/inspect/sweep.ts'
import type { VerifyReport } from '../../platform/inspect/verify.ts'
import type { RowCounts } from '../../platform/lake/commit-record.ts'
import {
  type EntryOf,
  type EventDescription,
  field,
  fieldsOf,
  flag,
  number,
  text,
} from '../../platform/log.ts'
import type { HashedTable } from '../../platform/rebuild/table-hash.ts'
import type { RunReport } from '../../platform/pipeline.ts'
import type { RepairReport } from '../../platform/repair.ts'
import type { FactHistory } from '../../platform/presentation/history.ts'
import type { Total } from '../../platform/presentation/worth.ts'

/** What a source table feeds. */
export interface Feeds {
  /** Star tables whose models read this table. */
  readonly feeds: readonly string[]
  readonly lineage: readonly { readonly column: string; readonly feeds: readonly string[] }[]
  /** Warehouse columns this table may feed, where its columns cannot be told exactly. */
  readonly inexact: readonly string[]
}

/** A history with what people read beside the values. */
export interface ToldHistory extends FactHistory {
  /** Present names of the things that versions refer to by number: by column, then by number. */
  readonly names: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** What each version is worth, in order. Null if the worth is unknown. */
  readonly totals: readonly (Total | null)[]
  /** With `--as-of`: the moment (ISO 8601 UTC), and whether the row existed then. */
  readonly asOf?: string
  readonly existed?: boolean
}

/** What commands write with `--json` as their results, beside the log. */
export const RESULTS = {
  project_written: {
    levels: ['info'],
    says: '`init` has written a project to this folder, without the columns in `excluded`, which look like secrets.',
    fields: {
      folder: text,
      name: text,
      files: field<readonly string[]>(),
      tables: number,
      withoutKey: field<readonly string[]>(),
      notReadable: field<readonly string[]>(),
      excluded: field<readonly string[]>(),
    },
  },
  template_written: {
    levels: ['info'],
    says: '`init --template` has written a project to this folder, without what it adds in code.',
    fields: {
      folder: text,
      name: text,
      files: field<readonly string[]>(),
      leftOut: field<readonly string[]>(),
    },
  },
  run_finished: {
    levels: ['info'],
    says: 'A run has ended, and is `ok` if every stage succeeded.',
    fields: {
      ok: flag,
      'batch?': number,
      changed: flag,
      files: number,
      filesIgnored: number,
      ...fieldsOf<RowCounts>({
        read: {},
        accepted: {},
        unchanged: {},
        quarantined: {},
        inserted: {},
        updated: {},
        deleted: {},
      }),
      transformed: number,
      loaded: field<readonly number[]>(),
      ...fieldsOf<
        Pick<RunReport, 'held' | 'warnings' | 'completeTo' | 'delayMs' | 'durationMs' | 'runId'>
      >({
        held: {},
        warnings: {},
        'completeTo?': {},
        'delayMs?': {},
        durationMs: {},
        runId: {},
      }),
    },
  },
  planned: {
    levels: ['info'],
    says: '`plan` says what the next run would do to the tables of the warehouse, statement by statement with `--sql`.',
    fields: fieldsOf<Plan & { readonly isEmpty: boolean }>({
      isEmpty: {},
      isLakeOnly: {},
      migrations: {},
      tables: {},
      others: {},
      byHand: {},
      retired: {},
      unknown: {},
      'generation?': {},
      statements: {},
      'notRehearsed?': {},
      'notRead?': {},
    }),
  },
  past_captured: {
    levels: ['info'],
    says: 'The past of the embedded source is captured, in batches dated by a simulated clock.',
    fields: { batches: number, from: text },
  },
  up_finished: {
    levels: ['info'],
    says: '`up --once` has ended, and says how many facts and versions the warehouse holds.',
    fields: { ok: flag, facts: number, versions: number, tables: field<readonly FactCounts[]>() },
  },
  server_started: {
    levels: ['info'],
    says: 'The server listens at this address.',
    fields: { url: text, login: flag },
  },
  status: {
    levels: ['info'],
    says: '`status` says how fresh the warehouse is, what waits where, and when the process that should run gave its last sign of life.',
    fields: fieldsOf<Status & { readonly heartbeat: Pulse | undefined }>({
      'heartbeat?': {},
      generation: {},
      isLakeOnly: {},
      batches: {},
      'warehouse?': {},
      'lagMs?': {},
      promiseMs: {},
      isFresh: {},
      delays: {},
      tables: {},
      facts: {},
      held: {},
      quarantined: {},
      warnings: {},
    }),
  },
  history: {
    levels: ['info'],
    says: '`history` shows every version of one fact, or those up to a moment.',
    fields: fieldsOf<ToldHistory>({
      table: {},
      key: {},
      'headline?': {},
      versions: {},
      names: {},
      totals: {},
      'asOf?': {},
      'existed?': {},
    }),
  },
  diff: {
    levels: ['info'],
    says: '`diff` shows the keys that changed between two batches, net: counts of all, and the first keys of each table.',
    fields: fieldsOf<Diff>({ from: {}, to: {}, fromAt: {}, toAt: {}, tables: {} }),
  },
  verified: {
    levels: ['info'],
    says: '`verify` has compared source, lake and warehouse.',
    fields: {
      ...fieldsOf<VerifyReport>({
        batch: {},
        snapshotAt: {},
        tables: {},
        faults: {},
        isEqual: {},
      }),
      'repair?': field<Omit<RepairReport, 'found'>>(),
    },
  },
  table_rebuilt: {
    levels: ['info'],
    says: '`rebuild` has made a table again, whose content has this hash.',
    fields: fieldsOf<HashedTable>({ table: {}, rows: {}, hash: {} }),
  },
  rebuilt: {
    levels: ['info'],
    says: '`rebuild` has made this many tables again, up to `batch`; the lake ends at `newest`.',
    fields: {
      batch: number,
      newest: number,
      generation: text,
      tables: number,
      durationMs: number,
    },
  },
  catalog_table: {
    levels: ['info'],
    says: '`catalog` shows a source table, its schemas and what it feeds.',
    fields: fieldsOf<CatalogTable & Feeds>({
      table: {},
      key: {},
      rows: {},
      'hold?': {},
      versions: {},
      feeds: {},
      lineage: {},
      inexact: {},
    }),
  },
  catalog_listed: {
    levels: ['info'],
    says: '`catalog` has listed this many source tables.',
    fields: { tables: number },
  },
  quarantined_row: {
    levels: ['info'],
    says: '`quarantine list` or `quarantine show` shows a row in quarantine.',
    fields: fieldsOf<QuarantineEntry>({
      id: {},
      zone: {},
      table: {},
      batch: {},
      capturedAt: {},
      operation: {},
      key: {},
      reason: {},
      'column?': {},
      content: {},
    }),
  },
  quarantine_listed: {
    levels: ['info'],
    says: '`quarantine list` has listed this many rows, out of all that are in quarantine.',
    fields: { rows: number, total: number },
  },
  replayed: {
    levels: ['info'],
    says: '`quarantine replay` counts the rows in quarantine before and after.',
    fields: fieldsOf<Pick<Replay, 'before' | 'after'>>({ before: {}, after: {} }),
  },
  zone_swept: {
    levels: ['info'],
    says: '`lake sweep` has looked at every object of a zone.',
    fields: fieldsOf<SweptZone>({
      zone: {},
      location: {},
      objects: {},
      orphans: {},
      orphanBytes: {},
      removed: {},
    }),
  },
  lake_swept: {
    levels: ['info'],
    says: '`lake sweep` has counted the orphans in both zones: those it removed and those it left.',
    fields: { removed: number, left: number },
  },
  report_declared: {
    levels: ['info'],
    says: '`reports list` shows a report or a threshold, and its faults.',
    fields: {
      report: text,
      'kind?': field<'report' | 'threshold'>(),
      'subject?': text,
      'when?': text,
      'next?': text,
      recipients: number,
      ok: flag,
      faults: field<readonly string[]>(),
    },
  },
  reports_listed: {
    levels: ['info'],
    says: '`reports list` has listed this many declarations, and counts those that are not valid.',
    fields: { reports: number, invalid: number },
  },
  report_composed: {
    levels: ['info'],
    says: '`reports send` has composed this mail, and sends it unless `--dry-run` is set.',
    fields: { report: text, subject: text, text, recipients: number, dryRun: flag },
  },
  report_mailed: {
    levels: ['info'],
    says: '`reports send` counts the recipients that it sent the mail to, and those that it could not.',
    fields: { report: text, sent: number, failed: number },
  },
  alert_tested: {
    levels: ['info'],
    says: '`alerts test` has sent a message to the recipient at this place in the settings, from 1, or could not.',
    fields: {
      channel: field<'mail' | 'webhook'>(),
      recipient: number,
      ok: flag,
      'code?': text,
      'message?': text,
      'hint?': text,
    },
  },
  alerts_tested: {
    levels: ['info'],
    says: '`alerts test` counts the recipients that took its message, and those that did not.',
    fields: { sent: number, failed: number },
  },
  types: {
    levels: ['info'],
    says: '`types` made types for this many tables, and wrote them to the file if they differ.',
    fields: { tables: number, changed: flag, 'file?': text, 'text?': text },
  },
  examined: {
    levels: ['info'],
    says: '`doctor` has checked one thing.',
    fields: fieldsOf<Finding>({
      what: {},
      ok: {},
      'unchecked?': {},
      detail: {},
      'hint?': {},
      'note?': {},
    }),
  },
  doctor_finished: {
    levels: ['info'],
    says: '`doctor` has checked everything that it can.',
    fields: { faults: number, suggestions: number, unchecked: number },
  },
  failed: {
    levels: ['info'],
    says: 'The command failed, or one of its runs did.',
    fields: { code: text, message: text, 'hint?': text },
  },
  completion: {
    levels: ['info'],
    says: '`completion` prints a script for this shell.',
    fields: { shell: text, script: text },
  },
  stopped: {
    levels: ['info'],
    says: 'The command was stopped before it had a result.',
    fields: {},
  },
  help: {
    levels: ['info'],
    says: '`--help` or `--version` shows this text.',
    fields: { text },
  },
  output_lost: {
    levels: ['info'],
    says: 'This many lines of output could not be written.',
    fields: { lines: number, code: text },
  },
} as const satisfies Record<string, EventDescription>

/** One object that a command writes with `--json`. */
export type Result = EntryOf<typeof RESULTS>
