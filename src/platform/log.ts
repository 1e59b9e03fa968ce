/** How much an entry matters. `alert` needs a person. An entry without a level is `info`. */
export type Level = 'info' | 'warn' | 'alert'

/** The type of an event's field. It exists for the compiler only: nothing is stored in it. */
export interface Field<Value> {
  readonly value?: Value
}

export const text: Field<string> = {}
export const texts: Field<readonly string[]> = {}
export const number: Field<number> = {}
export const flag: Field<boolean> = {}

/** A table's rows in one batch. `read` is the sum of `accepted`, `unchanged` and `quarantined`. */
const countFields = {
  read: number,
  accepted: number,
  unchanged: number,
  quarantined: number,
  inserted: number,
  updated: number,
  deleted: number,
}

/** One event. The compiler, the command line and the docs all read this one description. */
export interface EventDescription {
  /** The levels that an entry may have. An entry at `info` carries no level. */
  readonly levels: readonly Level[]
  /** What happened, as one sentence for people. */
  readonly says: string
  /** The fields by name. A field whose name ends in `?` may be missing. */
  readonly fields: Readonly<Record<string, Field<unknown>>>
}

/**
 * The events of the platform by name. Names, levels and fields are stable because alarms depend on
 * them.
 */
export const EVENTS = {
  rows_read: {
    levels: ['info'],
    says: 'Extract has read this many rows of a table so far.',
    fields: { batch: number, table: text, rows: number },
  },
  table_captured: {
    levels: ['info'],
    says: 'Extract has put a table into the batch, with these row counts.',
    fields: { batch: number, table: text, ...countFields },
  },
  table_compared_whole: {
    levels: ['warn'],
    says: 'Extract compares every row of a table, not only the recent ones, for the reason in `why`.',
    fields: { table: text, why: text },
  },
  table_deferred: {
    levels: ['warn'],
    says: 'Time ran out before a table was read, so the next run reads it first.',
    fields: { batch: number, table: text },
  },
  table_failed: {
    levels: ['warn'],
    says: 'A table cannot be read, for the reason in the message.',
    fields: { batch: number, table: text, code: text, message: text, 'hint?': text },
  },
  table_held: {
    levels: ['warn', 'alert'],
    says: 'A table is held until its problem is fixed, and all other tables go on.',
    fields: { 'batch?': number, table: text, reason: text, detail: text },
  },
  table_released: {
    levels: ['info'],
    says: 'A table is no longer held.',
    fields: { 'batch?': number, table: text, since: text },
  },
  secrets_found: {
    levels: ['warn'],
    says: 'A mirror begins to capture columns that look like secrets, by their names.',
    fields: { columns: texts },
  },
  table_ignored: {
    levels: ['info'],
    says: 'The source has a relation that the project or the settings do not choose, and Tidemark leaves it alone.',
    fields: { relation: text },
  },
  deletes_held: {
    levels: ['alert'],
    says: 'Too many rows of a table are gone at once, so their deletion waits for your confirmation.',
    fields: { table: text, deletes: number, rows: number },
  },
  shape_changed: {
    levels: ['info'],
    says: 'The columns of a source table have changed since it was last captured.',
    fields: { table: text, added: texts, removed: texts, changed: texts, reordered: flag },
  },
  extract_again: {
    levels: ['info'],
    says: 'Another run or a change to the source came in between, so extract starts again.',
    fields: { attempt: number, code: text },
  },
  processed_zone_away: {
    levels: ['warn'],
    says: 'The processed zone cannot be read, so extract and collect go on without it.',
    fields: { code: text, reason: text },
  },
  feed_captured: {
    levels: ['info'],
    says: "Collect has put a feed's new files and answers into the batch.",
    fields: { batch: number, table: text, files: number, ...countFields },
  },
  feed_unreachable: {
    levels: ['warn'],
    says: "A feed's folder or server cannot be read, so the rows already known stay in use.",
    fields: { table: text, code: text, reason: text },
  },
  files_ignored: {
    levels: ['info'],
    says: "A feed's folder holds this many files that no feed takes.",
    fields: { table: text, files: number },
  },
  fields_ignored: {
    levels: ['info'],
    says: "A feed's file has fields that the feed does not declare, and they are ignored.",
    fields: { table: text, file: text, fields: texts },
  },
  cells_absent: {
    levels: ['info'],
    says: "This many cells of a feed's file are empty and make no row.",
    fields: { table: text, file: text, cells: number },
  },
  collect_again: {
    levels: ['info'],
    says: 'Another run took the batch number, so collect starts again.',
    fields: { attempt: number, code: text },
  },
  transform_again: {
    levels: ['info'],
    says: 'Another process has just transformed a batch, so transform starts again.',
    fields: { attempt: number, code: text },
  },
  rows_quarantined: {
    levels: ['warn', 'alert'],
    says: 'Rows were refused and are in quarantine, at level `alert` if a reason is new.',
    fields: { batch: number, table: text, rows: number, reasons: texts },
  },
  check_failed: {
    levels: ['warn'],
    says: 'Rows were published although they break a check of their model.',
    fields: { batch: number, table: text, check: text, rows: number },
  },
  test_failed: {
    levels: ['warn'],
    says: 'Published rows break a data test.',
    fields: { batch: number, test: text, rows: number },
  },
  batch_transformed: {
    levels: ['info'],
    says: 'Transform has committed a batch to the processed zone.',
    fields: { batch: number, generation: text },
  },
  warehouse_restored: {
    levels: ['alert'],
    says: 'Relations of the warehouse were missing, and load has made them again.',
    fields: { relations: texts },
  },
  batch_loaded: {
    levels: ['info'],
    says: 'Load has committed a batch to the warehouse.',
    fields: { batch: number, generation: text },
  },
  batch_skipped: {
    levels: ['info'],
    says: 'Load skipped a batch because another run had already loaded it.',
    fields: { batch: number, generation: text },
  },
  generation_announced: {
    levels: ['info'],
    says: 'Load is about to make the warehouse again, from batch 1 on, for the reasons in `why`.',
    fields: { batch: number, generation: text, from: text, why: texts },
  },
  batch_prepared: {
    levels: ['info'],
    says: 'Load has put a batch into the next content of the warehouse, which readers do not see yet.',
    fields: { batch: number, of: number, generation: text },
  },
  replaced_in_place: {
    levels: ['warn'],
    says: "Load replaces the warehouse's content in the tables that are there, which takes longer, for the reason in `why`.",
    fields: { generation: text, why: text },
  },
  generation_switched: {
    levels: ['info'],
    says: 'Load has switched the warehouse to another generation of the models.',
    fields: { batch: number, generation: text },
  },
  generation_skipped: {
    levels: ['info'],
    says: 'Load did not switch the generation because another run had already done so.',
    fields: { batch: number, generation: text },
  },
  load_again: {
    levels: ['info'],
    says: 'Another process has loaded a newer edition of the processed zone, so load goes on with that one.',
    fields: { code: text },
  },
  rebuild_progress: {
    levels: ['info'],
    says: 'Rebuild has made this many batches of a zone or of the warehouse again, with this many rows.',
    fields: {
      zone: field<'processed' | 'warehouse'>(),
      batch: number,
      of: number,
      'rows?': number,
    },
  },
  rebuild_again: {
    levels: ['info'],
    says: 'Other runs came in between, so rebuild looks again and goes on.',
    fields: { attempt: number, code: text },
  },
  table_hashed: {
    levels: ['info'],
    says: 'Rebuild has read a table to hash its content.',
    fields: { table: text, rows: number },
  },
  edition_begun: {
    levels: ['info'],
    says: 'Rebuild makes the processed zone again, as another edition of its generation.',
    fields: { generation: text, batches: number },
  },
  batches_verified: {
    levels: ['info'],
    says: 'Verify has checked the commit records and the ledger up to this batch.',
    fields: { batch: number, of: number },
  },
  table_verified: {
    levels: ['info'],
    says: 'Verify has compared a table.',
    fields: {
      where: field<'lake' | 'warehouse' | 'history' | 'sums' | 'revisions'>(),
      table: text,
      rows: number,
    },
  },
  verify_again: {
    levels: ['info'],
    says: 'Another run changed the lake or the warehouse, so verify starts again.',
    fields: { attempt: number, code: text },
  },
  status_again: {
    levels: ['info'],
    says: 'Another run added a batch, so status starts again.',
    fields: { attempt: number, code: text },
  },
  sweep_progress: {
    levels: ['info'],
    says: 'The sweep has looked at this many objects of a zone so far.',
    fields: { zone: text, objects: number },
  },
} as const satisfies Record<string, EventDescription>

/** An entry of the log. Its fields are counts, names and times. */
export type LogEntry = EntryOf<typeof EVENTS>

/** Receives entries; made in `apps/`. It never gets a row, a value or a connection string. */
export type Log = (entry: LogEntry) => void

/** The entries that a list of events allows, as a union with `event` as its tag. */
export type EntryOf<Events extends Readonly<Record<string, EventDescription>>> = {
  readonly [Name in keyof Events]: Flat<
    { readonly event: Name } & LevelOf<Events[Name]['levels'][number]> &
      ValuesOf<Events[Name]['fields']>
  >
}[keyof Events]

/** A field of any type, for events that need more than text, numbers and flags. */
export function field<Value>(): Field<Value> {
  return {}
}

/**
 * The fields of an event that carries a whole record. The compiler accepts exactly the names of the
 * record, with a `?` if the value may be undefined, so the event and the record cannot drift apart.
 */
export function fieldsOf<Value>(fields: FieldsOf<Value>): FieldsOf<Value> {
  return fields
}

/** Renders events as the Markdown table in `docs/command-line.md`. */
export function describeEvents(events: Readonly<Record<string, EventDescription>>): string {
  const code = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ')
  const rows = Object.entries(events).map(
    ([name, { levels, says, fields }]) =>
      `| \`${name}\` | ${levels.join(', ')} | ${says} | ${code(Object.keys(fields))} |`,
  )
  return ['| event | level | what it means | fields |', '|---|---|---|---|', ...rows].join('\n')
}

/** A field for each property of a record, with a `?` after the name of an optional one. */
type FieldsOf<Value> = {
  readonly [
    Name in keyof Value & string as undefined extends Value[Name] ? `${Name}?` : Name
  ]-?: Field<Exclude<Value[Name], undefined>>
}

/** An event at `info` may leave out its level. Every other event must say it. */
type LevelOf<Levels extends Level> = 'info' extends Levels
  ? { readonly level?: Exclude<Levels, 'info'> }
  : { readonly level: Levels }

/**
 * The values of fields. A field whose name ends in `?` is optional, without the `?` in its name.
 */
type ValuesOf<Fields> = {
  readonly [Name in keyof Fields as Name extends `${string}?` ? never : Name]: ValueOf<Fields[Name]>
} & {
  readonly [Name in keyof Fields as Name extends `${infer Known}?` ? Known : never]?:
    | ValueOf<Fields[Name]>
    | undefined
}

type ValueOf<Described> = Described extends Field<infer Value> ? Value : never

/** The same type as one object, so that the compiler checks and shows it as a whole. */
type Flat<Type> = { readonly [Name in keyof Type]: Type[Name] }
