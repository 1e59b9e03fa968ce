import { command, type Command, flagOption, optional, wordOption } from './command.ts'

/** The command `init`, with the name of the project that `--template` writes. */
export const declareInit = (template: string | undefined): Command =>
  command({
    name: 'init',
    summary: 'Write a project for a database: which tables to keep, or a star schema over them',
    details:
      'Reads the catalogue of the database, says what it found, and writes a folder that runs: the configuration, models with --star, and files to begin with. Asks only on a terminal; each question has an option. Changes nothing in the database, and replaces no file.',
    arguments: { folder: optional('Folder of the project; this one if none is named', 'folder') },
    options: {
      star: flagOption('--star', 'Propose facts and dimensions, as SQL to go on with'),
      keepSecrets: flagOption('--keep-secrets', 'Keep columns that look like secrets'),
      writeEnv: flagOption('--write-env', 'Write the connection string with its password to .env'),
      name: wordOption('--name <name>', {
        summary: 'Name of the project',
        standard: 'the name of the folder',
      }),
      yes: flagOption('-y, --yes', 'Ask nothing and take what is proposed'),
      template: wordOption('--template <name>', {
        summary: 'Write a project that comes with Tidemark instead',
        values: template === undefined ? [] : [template],
      }),
    },
    settings: {
      TIDEMARK_SOURCE_URL: {
        flags: '--source <url>',
        summary: 'The Postgres to read: postgresql://user:password@host:5432/database',
        standard: 'TIDEMARK_SOURCE_URL',
      },
    },
    examples: [
      {
        line: 'tidemark init shop --source postgresql://reader@localhost/shop',
        what: 'Keep every table',
      },
      { line: 'tidemark init shop --star', what: 'Propose a star schema' },
      ...(template === undefined
        ? []
        : [{ line: `tidemark init --template ${template}`, what: 'Begin with the example' }]),
    ],
    load: async () => (await import('./commands/init.ts')).initCommand,
  })
