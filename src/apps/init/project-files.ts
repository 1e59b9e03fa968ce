import { commentText } from './model-sql.ts'
import { printConfig } from './print-config.ts'
import type { ProposedProject } from './propose-project.ts'

/** A file of a new project. */
export interface ProjectFile {
  /** Relative to the project's folder. */
  readonly path: string
  readonly text: string
  /** Whether only its owner may read it. */
  readonly isSecret?: boolean
}

/**
 * The files of a new project. The connection string is in `.env` alone, and only if the person said so;
 * elsewhere it stands without its password. Pure.
 */
export function projectFiles(
  project: ProposedProject,
  { url, writesEnv }: { url: string; writesEnv: boolean },
): ProjectFile[] {
  return [
    { path: 'tidemark.config.ts', text: printConfig(project.config, project) },
    ...project.models.map(({ name, sql }) => ({ path: `models/${name}.sql`, text: sql })),
    ...projectSettings({ url, writesEnv }),
    { path: 'README.md', text: readme(project, { writesEnv }) },
  ]
}

/**
 * The files of a new project for its settings. Without a connection string, the example has one to fill
 * in. Pure.
 */
export function projectSettings({
  url = 'postgresql://USER:PASSWORD@HOST:5432/DATABASE',
  writesEnv,
}: {
  url?: string | undefined
  writesEnv: boolean
}): ProjectFile[] {
  return [
    { path: '.env.example', text: envExample(url) },
    ...(writesEnv ? [{ path: '.env', text: envFile(url), isSecret: true }] : []),
    {
      path: '.gitignore',
      text: '# Secrets, and what Tidemark keeps on this machine.\n.env\n.tidemark/\n',
    },
  ]
}

/** A connection string with `PASSWORD` for every password in it. */
export function withoutPassword(url: string): string {
  const shown = new URL(url)
  if (shown.password !== '') shown.password = 'PASSWORD'
  for (const name of shown.searchParams.keys()) {
    if (/password|passfile/i.test(name)) shown.searchParams.set(name, 'PASSWORD')
  }
  return shown.href
}

function envExample(url: string): string {
  return [
    '# Copy this file to .env and fill it in. Never commit .env.',
    '',
    '# The database to read. The user needs only the right to select.',
    `TIDEMARK_SOURCE_URL=${quoted(withoutPassword(url))}`,
    '',
    '# The Postgres to load. Without it, only the lake is made.',
    '# TIDEMARK_WAREHOUSE_URL=postgresql://USER:PASSWORD@HOST:5432/warehouse',
    '',
  ].join('\n')
}

function envFile(url: string): string {
  return [
    '# Never commit this file.',
    `TIDEMARK_SOURCE_URL=${quoted(url)}`,
    '# TIDEMARK_WAREHOUSE_URL=postgresql://USER:PASSWORD@HOST:5432/warehouse',
    '',
  ].join('\n')
}

/** A value in quotes that it does not contain, if it needs any. */
function quoted(value: string): string {
  if (/^[\w.:/@?=&%,+~-]+$/.test(value)) return value
  const mark = [`'`, '"', '`'].find((each) => !value.includes(each)) ?? `'`
  return `${mark}${value}${mark}`
}

function readme(
  { config: { name = '', title = name }, models }: ProposedProject,
  { writesEnv }: { writesEnv: boolean },
): string {
  const isMirror = models.length === 0
  const about = isMirror
    ? `Keeps every table of ${commentText(title)} as it is, with its whole history.`
    : `Keeps ${commentText(title)} as a star schema, with its whole history.`
  return [
    `# ${name}`,
    '',
    `${about} Made with \`tidemark init\`.`,
    'With Tidemark installed in this folder or above it:',
    '',
    '```sh',
    ...(writesEnv ? [] : ['cp .env.example .env     # then fill it in']),
    'npx tidemark doctor      # is everything there that a run needs?',
    'npx tidemark run         # capture what changed',
    'npx tidemark status      # how fresh is it?',
    'npx tidemark verify      # prove that source, lake and warehouse are equal',
    'npx tidemark up          # run again and again, and show every table in a browser',
    '```',
    '',
    '| file | what it holds |',
    '|---|---|',
    `| \`tidemark.config.ts\` | ${isMirror ? 'which tables and columns are kept' : 'the source tables, and what the models are'} |`,
    ...(isMirror
      ? []
      : ['| `models/*.sql` | one select for each fact and dimension, in the dialect of DuckDB |']),
    '| `.env` | the databases; never committed |',
    '| `.tidemark/` | the lake and other files that Tidemark keeps; never committed |',
    '',
  ].join('\n')
}
