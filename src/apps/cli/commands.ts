import {
  choiceOption,
  command,
  type Command,
  type CommandGroup,
  durationOption,
  flagOption,
  momentOption,
  namesOption,
  optional,
  required,
  textOption,
  wordOption,
} from './command.ts'
import { alerts, lake, quarantine, reports } from './command-groups.ts'
import { declareInit } from './declare-init.ts'
import type { GivenProject } from '../project-extension.ts'
import type { SettingOptions } from './setting-option.ts'

/** What `tidemark --help` says first. */
export const SUMMARY =
  'Carries a Postgres database into an immutable lake and a warehouse that keeps its full history.'

const SERVER_SETTINGS: SettingOptions = {
  TIDEMARK_HOST: {
    flags: '--host <address>',
    summary: 'Address to listen on; 127.0.0.1 is for this machine only',
    standard: '127.0.0.1',
  },
  TIDEMARK_PORT: {
    flags: '--port <number>',
    summary: 'Port to listen on; 0 takes a free one',
    standard: '4100',
  },
}

const up = (upOptions: SettingOptions) =>
  command({
    name: 'up',
    summary: 'Run everything on this machine, with the dashboard, until Ctrl-C',
    details:
      'Starts the embedded Postgres, unless settings name databases. Fills an empty simulated source, lets it live, and serves the dashboard (docs/dashboard.md, docs/pages.md) beside its runs. For a source without TIDEMARK_WAREHOUSE_URL it makes a warehouse in the home, which every command then uses. If port 4100 is taken and you name no other, it takes any free port. Only one `up` runs in a home: a second one exits 6.',
    opening: 'source, runs and pages in one process',
    options: {
      once: flagOption('--once', 'Fill the source, run once, print a summary and stop'),
      everyMs: durationOption('--every <duration>', {
        summary: 'Time between two runs: 5s, 2m, 500ms; see run --every',
        standard: '5s',
      }),
    },
    settings: {
      ...SERVER_SETTINGS,
      ...upOptions,
    },
    examples: [
      { line: 'tidemark up', what: 'Try everything, with no database of your own' },
      { line: 'tidemark up --once', what: 'Run one full cycle and stop' },
    ],
    load: async () => (await import('./commands/up.ts')).upCommand,
  })

const run = command({
  name: 'run',
  summary: 'Extract, collect, transform and load what is pending',
  details:
    'Each stage catches up on everything that is pending. If one stage fails, the others still do their work, and the next run catches up. With --every 1s or less, a run that found something is followed by the next at once.',
  options: {
    everyMs: durationOption('--every <duration>', {
      summary: 'Repeat at this interval until Ctrl-C: 5s, 2m, 500ms',
    }),
    confirmDeletes: namesOption('--confirm-deletes <table...>', {
      summary: 'Let the mass deletions in these tables through',
      values: 'database table',
    }),
  },
  examples: [
    { line: 'tidemark run', what: 'Bring the warehouse up to date once' },
    { line: 'tidemark run --every 30s', what: 'Keep it up to date' },
    { line: 'tidemark run --every 500ms', what: 'Keep it up to date within about a second' },
    {
      line: 'tidemark run --confirm-deletes orders',
      what: 'Accept that most orders were deleted',
    },
  ],
  load: async () => (await import('./commands/run.ts')).runCommand,
})

const plan = command({
  name: 'plan',
  summary: 'Show what the next run would do to the tables of the warehouse',
  details:
    'Creates and changes nothing. Rehearses migrations and the tables of models on an empty copy of the warehouse, which it rolls back, and says whether the content is loaded again. Works before the first run.',
  options: {
    sql: flagOption('--sql', 'Print the statements instead, in order'),
  },
  examples: [
    { line: 'tidemark plan', what: 'Look before a run that follows a change of models' },
    { line: 'tidemark plan --sql > plan.sql', what: 'Let somebody review the statements' },
  ],
  load: async () => (await import('./commands/plan.ts')).planCommand,
})

const status = command({
  name: 'status',
  summary: 'Show how fresh the warehouse is, and what is held or in quarantine',
  details:
    'Shows the rows in each place, how many published rows break a check, since when a table is held, how long after their commit changes became visible, and when `run --every` or `up` gave its last sign of life. With --check, alerts are sent too (docs/alerts.md).',
  options: {
    check: flagOption(
      '--check',
      'Exit 5 if the freshness promise is missed or the process that should run does not, 4 if a table is held',
    ),
  },
  examples: [
    { line: 'tidemark status', what: 'Look' },
    { line: 'tidemark status --check --quiet', what: 'Monitor the freshness promise' },
  ],
  load: async () => (await import('./commands/status.ts')).statusCommand,
})

const serve = command({
  name: 'serve',
  summary: 'Serve the dashboard and the API until Ctrl-C',
  details:
    'Shows the warehouse as it is and runs nothing (docs/dashboard.md). If a login is set up, every request needs a token.',
  settings: SERVER_SETTINGS,
  examples: [{ line: 'tidemark serve --port 8080', what: 'Serve on another port' }],
  load: async () => (await import('./commands/serve.ts')).serveCommand,
})

const history = command({
  name: 'history',
  summary: 'Show every version of one fact: what changed, and when',
  details:
    'If no version of the key was ever captured, that is an error (UNKNOWN_KEY, exit 2). With --as-of, shows the versions up to a moment and says whether the row existed then. A moment without a zone is UTC, and a day means its end. --csv writes RFC 4180: null is an empty cell, an empty text is "".',
  arguments: {
    table: required('Source table or fact table', 'fact'),
    key: required('Key of the row; separate several columns by commas: 1,2 or 1,"a,b"'),
  },
  options: {
    asOf: momentOption('--as-of <moment>', {
      summary: 'Show the versions up to this moment: 2026-11-01, 2026-11-01T12:00:00+01:00',
    }),
    full: flagOption('--full', 'Show every column of each version, not only what changed'),
    csv: flagOption('--csv', 'Write CSV with every column, one record a version'),
  },
  examples: [
    { line: 'tidemark history orders 42', what: 'Follow one order' },
    { line: 'tidemark history orders 42 --as-of 2026-11-01', what: 'See what was known then' },
    { line: 'tidemark history orders 42 --csv > order.csv', what: 'Take the versions elsewhere' },
  ],
  load: async () => (await import('./commands/history.ts')).historyCommand,
})

const diff = command({
  name: 'diff',
  summary: 'Show which keys changed between two batches',
  details:
    'Reads only the lake. Says what is different in the end: a key that came and went in between, or that is as it was, is not shown. Prints + for a key that came, ~ for one that changed, with the columns that differ, and - for one that went. Exits 0 in any case.',
  arguments: {
    from: required('The earlier batch; 0 is the empty lake'),
    to: required('The later batch'),
    table: optional(
      'Compare only this source or star table; without it, all source tables',
      'any table',
    ),
  },
  options: {
    limit: textOption('--limit <keys>', {
      summary: 'Most keys to show of a table',
      standard: '20',
    }),
  },
  examples: [
    { line: 'tidemark diff 41 42', what: 'See what a batch brought' },
    { line: 'tidemark diff 0 42 orders --limit 100', what: 'List the orders as of a batch' },
  ],
  load: async () => (await import('./commands/diff.ts')).diffCommand,
})

const verify = command({
  name: 'verify',
  summary: 'Compare source, lake and warehouse at one snapshot, with every version',
  details:
    'Brings lake and warehouse up to a snapshot of the source, then compares every table, every version, every dimension row, the chain of commit records and the ledger. With --repair, captures again what differs in the lake, corrects the warehouse by the lake, and verifies again; it exits 7 if it found anything, even if it repaired it.',
  arguments: { table: optional('Compare only this source or star table', 'compared table') },
  options: {
    repair: flagOption('--repair', 'Repair what differs, and verify again'),
  },
  examples: [
    { line: 'tidemark verify', what: 'Prove that all three are equal' },
    { line: 'tidemark verify orders', what: 'Compare one table' },
    { line: 'tidemark verify --repair', what: 'Repair what differs' },
  ],
  load: async () => (await import('./commands/verify.ts')).verifyCommand,
})

const catalog = command({
  name: 'catalog',
  summary: 'List the source tables, their schema versions, and what they feed',
  details:
    'With a table: its schema versions since the first capture, and the warehouse columns that each of its columns feeds.',
  arguments: { table: optional('Show this source table in full', 'source table') },
  examples: [
    { line: 'tidemark catalog', what: 'List the source tables' },
    { line: 'tidemark catalog orders', what: 'Follow the columns of one table' },
  ],
  load: async () => (await import('./commands/catalog.ts')).catalogCommand,
})

const types = command({
  name: 'types',
  summary: 'Write the warehouse as TypeScript types for Kysely',
  details:
    'Reads the tables, views and functions of the warehouse, and writes an interface with their columns, nullability and descriptions (docs/typed-access.md). The same warehouse always gives the same text.',
  options: {
    out: wordOption('--out <file>', { summary: 'File to write; without it, they are printed' }),
    check: flagOption('--check', 'Write nothing, and exit 1 if the file does not fit any more'),
  },
  examples: [
    { line: 'tidemark types --out src/warehouse.ts', what: 'Write them for a program' },
    { line: 'tidemark types --check --out src/warehouse.ts', what: 'Check them before a build' },
  ],
  load: async () => (await import('./commands/types.ts')).typesCommand,
})

const doctor = command({
  name: 'doctor',
  summary: 'Rehearse everything a run needs, and say what fixes each fault',
  details:
    'Reads the source, rehearses a load in a transaction that it rolls back, lets two writers race for an object, and checks the links between lake and warehouse. Prints the statement that fixes each fault (✕) or follows a suggestion (!), and says what it did not check (–).',
  examples: [{ line: 'tidemark doctor', what: 'Check a new setup before the first run' }],
  load: async () => (await import('./commands/doctor.ts')).doctorCommand,
})

const rebuild = command({
  name: 'rebuild',
  summary: 'Make the warehouse again from the lake, without the source',
  details:
    'Loads every batch again, with the same content and record ids, and prints a hash of each table: equal content has an equal hash on every machine. Readers see the old rows until the new ones are complete. With --from ingestion, the processed zone is made again first, always to the end of the log, beside the present one. May be stopped and repeated (docs/runbook.md).',
  options: {
    from: choiceOption<'processed' | 'ingestion'>('--from <zone>', {
      summary: 'Zone to begin with: ingestion makes the processed zone again too',
      choices: ['processed', 'ingestion'],
      standard: 'processed',
    }),
    to: wordOption('--to <batch>', {
      summary: 'Last batch to load; the next run loads those that follow',
    }),
  },
  examples: [
    { line: 'tidemark rebuild', what: 'Make a damaged or lost warehouse again' },
    { line: 'tidemark rebuild --from ingestion', what: 'Make a damaged processed zone again too' },
    {
      line: 'tidemark rebuild --to 42 --schema march',
      what: 'Load a state of the past beside the present one',
    },
  ],
  load: async () => (await import('./commands/rebuild.ts')).rebuildCommand,
})

const SHELLS = ['bash', 'zsh', 'fish']

const completion = command({
  name: 'completion',
  summary: 'Print a script that completes commands in your shell',
  details:
    'Load it in the file your shell reads at its start. The script knows commands, options and tables, and starts no program.',
  arguments: { shell: required(`One of ${SHELLS.join(', ')}`, SHELLS) },
  readsSettings: false,
  examples: [
    { line: 'source <(tidemark completion bash)', what: 'In ~/.bashrc' },
    { line: 'source <(tidemark completion zsh)', what: 'In ~/.zshrc, after compinit' },
    { line: 'tidemark completion fish | source', what: 'In ~/.config/fish/config.fish' },
  ],
  load: async () => (await import('./commands/completion.ts')).completionCommand,
})

/**
 * Every command, with the options that a project adds to `up`. The parser, `--help`, shell completion
 * and the reference in `docs/command-line.md` are made from it.
 */
export function commandsFor({
  upOptions,
  template,
}: Pick<GivenProject, 'upOptions' | 'template'>): readonly (Command | CommandGroup)[] {
  return [
    declareInit(template?.name),
    up(upOptions),
    run,
    plan,
    status,
    serve,
    history,
    diff,
    verify,
    rebuild,
    catalog,
    types,
    quarantine,
    lake,
    reports,
    alerts,
    doctor,
    completion,
  ]
}
