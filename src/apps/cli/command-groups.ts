import {
  command,
  type CommandGroup,
  flagOption,
  optional,
  required,
  textOption,
} from './command.ts'

/** The commands about refused rows. */
export const quarantine: CommandGroup = {
  name: 'quarantine',
  summary: 'See the refused rows, and give them another chance',
  commands: [
    command({
      name: 'list',
      summary: 'List the rows in quarantine',
      details:
        'Shows the rows that were refused and have not been corrected since, each with its reason and column.',
      arguments: { table: optional('List only this source or star table', 'any table') },
      options: {
        limit: textOption('--limit <rows>', {
          summary: 'Most rows to list from a table',
          standard: '20',
        }),
      },
      examples: [
        { line: 'tidemark quarantine list', what: 'See what waits for a correction' },
        { line: 'tidemark quarantine list fact_orders --limit 100', what: 'See more of one' },
      ],
      load: async () => (await import('./commands/quarantine.ts')).listCommand,
    }),
    command({
      name: 'show',
      summary: 'Show one row in full, and what fixes it',
      arguments: { id: required('Id from quarantine list, such as 7.fact_orders.3') },
      examples: [{ line: 'tidemark quarantine show 7.fact_orders.3', what: 'See one row' }],
      load: async () => (await import('./commands/quarantine.ts')).showCommand,
    }),
    command({
      name: 'replay',
      summary: 'Try all rows in quarantine again',
      details: 'Reads them from the source again and puts them through the models as they are now.',
      examples: [{ line: 'tidemark quarantine replay', what: 'Retry after a correction' }],
      load: async () => (await import('./commands/quarantine.ts')).replayCommand,
    }),
  ],
}

/** The commands about the lake's objects. */
export const lake: CommandGroup = {
  name: 'lake',
  summary: 'Maintain the objects in the lake',
  commands: [
    command({
      name: 'sweep',
      summary: 'Count the objects that no commit record names, and remove them on request',
      details:
        'Killed runs, and runs that lost a race, leave such objects and unfinished uploads. They do no harm.',
      options: {
        remove: flagOption('--delete', 'Remove them, if the store allows it'),
        olderThanHours: textOption('--older-than <hours>', {
          summary: 'Leave younger objects alone; at least 1',
          standard: '24',
        }),
      },
      examples: [
        { line: 'tidemark lake sweep', what: 'Count the orphans that are older than a day' },
        {
          line: 'tidemark lake sweep --delete --older-than 72',
          what: 'Remove those older than 3 days',
        },
      ],
      load: async () => (await import('./commands/lake.ts')).sweepCommand,
    }),
  ],
}

/** The commands about reports by mail. */
export const reports: CommandGroup = {
  name: 'reports',
  summary: 'See which reports are sent by mail, and send one now',
  commands: [
    command({
      name: 'list',
      summary: 'List the declared reports and thresholds, and check each of them',
      details:
        'Reads TIDEMARK_REPORTS_FILE (docs/reports.md), and says when each report is sent next. Exits 2 if a declaration is not valid.',
      examples: [{ line: 'tidemark reports list', what: 'Check the reports file after a change' }],
      load: async () => (await import('./commands/reports.ts')).listReportsCommand,
    }),
    command({
      name: 'send',
      summary: 'Send a report, or the mail of a threshold, now and with the present figures',
      details: 'The schedule stays as it is: the next mail is sent when it is due.',
      arguments: { name: required('Name of the report or the threshold') },
      options: {
        dryRun: flagOption('--dry-run', 'Print the mail, and send nothing'),
      },
      examples: [
        { line: 'tidemark reports send weekly-sales --dry-run', what: 'See the mail' },
        { line: 'tidemark reports send overdue-gbp', what: 'Send it to its recipients' },
      ],
      load: async () => (await import('./commands/reports.ts')).sendReportCommand,
    }),
  ],
}

/** The commands about alerts. */
export const alerts: CommandGroup = {
  name: 'alerts',
  summary: 'Try whether alerts arrive',
  commands: [
    command({
      name: 'test',
      summary: 'Send a test message to everybody who gets alerts, now',
      details:
        'Sends to each address in TIDEMARK_ALERT_TO and to TIDEMARK_ALERT_WEBHOOK (docs/alerts.md). Exits 1 if one of them did not take it.',
      examples: [{ line: 'tidemark alerts test', what: 'After a change of the settings' }],
      load: async () => (await import('./commands/alerts.ts')).testAlertsCommand,
    }),
  ],
}
