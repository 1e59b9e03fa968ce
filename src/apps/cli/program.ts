import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import type { Config } from '../../platform/config.ts'
import { InterruptedError } from '../../platform/errors.ts'
import { readConfig, VERSION } from '../environment.ts'
import type { CommandContext } from './context.ts'
import { EXIT, exitCodeOf } from './exit-code.ts'
import { parseDuration } from '../format.ts'
import { createOutput, type Output, type Stream } from './output.ts'

export interface World {
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdout: Stream
  readonly stderr: Stream
  readonly signal: AbortSignal
}

interface GlobalFlags {
  readonly json?: boolean
  readonly quiet?: boolean
  readonly home?: string
  readonly schema?: string
  readonly ingestion?: string
  readonly processed?: string
  readonly pgBin?: string
}

/**
 * The whole command line: parses, runs one command, returns the exit code and never throws. Takes
 * its world as an argument, so that it can be run in a test as in a shell.
 */
export async function runProgram(world: World): Promise<number> {
  let code: number = EXIT.done
  const program = new Command('tidemark')
    .description('A Postgres database as an immutable lake and a warehouse with full history.')
    .version(VERSION)
    .option('--json', 'one JSON object a line on stdout')
    .option('-q, --quiet', 'no progress')
    .option('--home <folder>', 'where everything on this machine is kept (default .tidemark)')
    .option('--schema <name>', 'schema of the star tables (default public)')
    .option(
      '--ingestion <address>',
      'ingestion zone: a directory or s3://bucket/prefix (default <home>/ingestion)',
    )
    .option(
      '--processed <address>',
      'processed zone: a directory or s3://bucket/prefix (default <home>/processed)',
    )
    .option('--pg-bin <folder>', 'use the Postgres of this folder instead of the embedded one')
    .addHelpText(
      'after',
      `
Databases are named by TIDEMARK_SOURCE_URL and TIDEMARK_WAREHOUSE_URL, in the environment or in .env;
without them an embedded Postgres with a living Totesys is used. All settings: docs/configuration.md

Exit codes: 0 done and checked · 1 failed, nothing half-published · 2 usage or configuration ·
3 done, rows quarantined · 4 contract broken or deletions held back · 5 freshness promise missed ·
6 another run holds the lock · 7 verify found a difference · 130 interrupted`,
    )
    .configureOutput({
      writeOut: (text) => world.stdout.write(text),
      writeErr: (text) => world.stderr.write(text),
    })
    .exitOverride()
    .showHelpAfterError('(tidemark --help shows all commands)')

  const act = async (
    work: (context: CommandContext) => Promise<number>,
    settings: Readonly<Record<string, string | undefined>> = {},
  ): Promise<void> => {
    code = await invoke(world, { flags: program.opts<GlobalFlags>(), settings, work })
  }

  program
    .command('up')
    .description('everything here: source, runs, until Ctrl-C')
    .option('--once', 'fill the source, do one full cycle, print the summary and stop')
    .addOption(every('time between two runs').default(5000, '5s'))
    .option('--orders <count>', 'sales orders an empty Totesys is filled with (default 2000)')
    .option('--seed <number>', 'seed of the Totesys (default 42)')
    .option('--speed <factor>', 'seconds of Totesys life in a second (default 600)')
    .action((options: { once?: boolean; every: number } & Record<string, string | undefined>) =>
      act(
        async (context) => {
          const { upCommand } = await import('./commands/up.ts')
          return upCommand(context, { once: options.once === true, everyMs: options.every })
        },
        {
          TIDEMARK_TOTESYS_ORDERS: options['orders'],
          TIDEMARK_TOTESYS_SEED: options['seed'],
          TIDEMARK_TOTESYS_SPEED: options['speed'],
        },
      ),
    )

  program
    .command('run')
    .description('extract, transform and load what is pending')
    .addOption(every('repeat at this interval until Ctrl-C'))
    .option('--confirm-deletes <table...>', 'let the mass deletion of these tables through')
    .action((options: { every?: number; confirmDeletes?: string[] }) =>
      act(async (context) => {
        const { runCommand } = await import('./commands/run.ts')
        return runCommand(context, {
          everyMs: options.every,
          confirmDeletes: options.confirmDeletes ?? [],
        })
      }),
    )

  program
    .command('status')
    .description('how fresh the warehouse is, and what waits where')
    .option('--check', 'exit 5 when the freshness promise is missed')
    .action((options: { check?: boolean }) =>
      act(async (context) => {
        const { statusCommand } = await import('./commands/status.ts')
        return statusCommand(context, { check: options.check === true })
      }),
    )

  program
    .command('serve')
    .description('the payments API and the pages, from the warehouse as it is, until Ctrl-C')
    .option('--host <address>', 'where to listen (default 127.0.0.1: this machine only)')
    .option('--port <number>', 'port to listen on; 0 takes a free one (default 4100)')
    .action((options: { host?: string; port?: string }) =>
      act(
        async (context) => {
          const { serveCommand } = await import('./commands/serve.ts')
          return serveCommand(context)
        },
        { TIDEMARK_HOST: options.host, TIDEMARK_PORT: options.port },
      ),
    )

  program
    .command('history')
    .description('every version of one fact: what changed, and when')
    .argument('<table>', 'a source table or a fact, e.g. sales_order')
    .argument('<key>', 'its key; several columns separated by commas')
    .action((table: string, key: string) =>
      act(async (context) => {
        const { historyCommand } = await import('./commands/history.ts')
        return historyCommand(context, { table, key })
      }),
    )

  program
    .command('verify')
    .description('compare source, lake and warehouse at one snapshot, every version included')
    .argument('[table]', 'a source or star table: compare it alone')
    .action((table: string | undefined) =>
      act(async (context) => {
        const { verifyCommand } = await import('./commands/verify.ts')
        return verifyCommand(context, { only: table })
      }),
    )

  program
    .command('catalog')
    .description('the source tables: their columns, how those changed, and what they feed')
    .argument('[table]', 'a source table, e.g. sales_order')
    .action((table: string | undefined) =>
      act(async (context) => {
        const { catalogCommand } = await import('./commands/catalog.ts')
        return catalogCommand(context, { table })
      }),
    )

  const quarantine = program
    .command('quarantine')
    .description('rows that were refused: which, why, and another chance for them')
  quarantine
    .command('list')
    .description('what is in quarantine now')
    .argument('[table]', 'a source or star table, e.g. fact_sales_order')
    .option('--limit <rows>', 'at most this many of each table', '20')
    .action((table: string | undefined, options: { limit: string }) =>
      act(async (context) => {
        const { listCommand } = await import('./commands/quarantine.ts')
        return listCommand(context, { table, limit: options.limit })
      }),
    )
  quarantine
    .command('show')
    .description('one row in full, and what fixes it')
    .argument('<id>', 'as list gives it, e.g. 7.fact_sales_order.3')
    .action((id: string) =>
      act(async (context) => {
        const { showCommand } = await import('./commands/quarantine.ts')
        return showCommand(context, { id })
      }),
    )
  quarantine
    .command('replay')
    .description('put the rows through the models, or read them from the source, once more')
    .action(() =>
      act(async (context) => {
        const { replayCommand } = await import('./commands/quarantine.ts')
        return replayCommand(context)
      }),
    )

  const lake = program.command('lake').description('maintain the objects in the lake')
  lake
    .command('sweep')
    .description(
      'count the objects that no commit record names: killed runs leave them, and they do no harm',
    )
    .option('--delete', 'remove them, where the store allows it')
    .option('--older-than <hours>', 'leave younger objects alone', '24')
    .action((options: { delete?: boolean; olderThan: string }) =>
      act(async (context) => {
        const { sweepCommand } = await import('./commands/lake.ts')
        return sweepCommand(context, {
          remove: options.delete === true,
          olderThanHours: options.olderThan,
        })
      }),
    )

  program
    .command('doctor')
    .description('check databases, permissions and zones, and say what fixes them')
    .action(() =>
      act(async (context) => {
        const { doctorCommand } = await import('./commands/doctor.ts')
        return doctorCommand(context)
      }),
    )

  try {
    await program.parseAsync(world.argv, { from: 'user' })
    return code
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? EXIT.done : EXIT.usage
  }
}

function every(description: string): Option {
  return new Option('--every <duration>', `${description}: 5s, 2m, 500ms`).argParser((text) => {
    const milliseconds = parseDuration(text)
    if (milliseconds === undefined) {
      throw new InvalidArgumentError('Give a time such as 5s, 2m or 500ms, up to 24h.')
    }
    return milliseconds
  })
}

interface Invocation {
  readonly flags: GlobalFlags
  readonly settings: Readonly<Record<string, string | undefined>>
  readonly work: (context: CommandContext) => Promise<number>
}

async function invoke(world: World, { flags, settings, work }: Invocation): Promise<number> {
  const output: Output = createOutput({
    stdout: world.stdout,
    stderr: world.stderr,
    isJson: flags.json === true,
    isQuiet: flags.quiet === true,
    isColored: world.stdout.isTTY === true && (world.env['NO_COLOR'] ?? '') === '',
  })
  try {
    const config: Config = readConfig(world.env, {
      TIDEMARK_HOME: flags.home,
      TIDEMARK_WAREHOUSE_SCHEMA: flags.schema,
      TIDEMARK_INGESTION: flags.ingestion,
      TIDEMARK_PROCESSED: flags.processed,
      TIDEMARK_PG_BIN: flags.pgBin,
      ...settings,
    })
    return await work({ config, output, signal: world.signal })
  } catch (error) {
    if (!(error instanceof InterruptedError)) output.fail(error)
    return exitCodeOf(error)
  } finally {
    output.clear()
  }
}
