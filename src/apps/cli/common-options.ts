import { flagOption } from './command.ts'
import type { SettingOptions } from './setting-option.ts'

/** Options that every command takes. */
export const COMMON_OPTIONS = {
  json: flagOption('--json', 'Write one JSON object a line to stdout'),
  quiet: flagOption('-q, --quiet', 'Show no progress'),
}

/** Settings that every command takes as options. */
export const COMMON_SETTINGS: SettingOptions = {
  TIDEMARK_PROJECT: {
    flags: '--project <path>',
    summary: 'The project: its folder, or its config file',
    standard: 'the tidemark.config.ts here or above',
    values: 'folder',
  },
  TIDEMARK_HOME: {
    flags: '--home <folder>',
    summary: 'Folder for everything kept on this machine, in the folder of the project by default',
    standard: '.tidemark',
    values: 'folder',
  },
  TIDEMARK_WAREHOUSE_SCHEMA: {
    flags: '--schema <name>',
    summary: 'Schema of the star tables',
    standard: 'public',
  },
  TIDEMARK_INGESTION: {
    flags: '--ingestion <address>',
    summary: 'Ingestion zone: a folder or s3://bucket/prefix',
    standard: '<home>/ingestion',
    values: 'folder',
  },
  TIDEMARK_PROCESSED: {
    flags: '--processed <address>',
    summary: 'Processed zone: a folder or s3://bucket/prefix',
    standard: '<home>/processed',
    values: 'folder',
  },
  TIDEMARK_SELECT: {
    flags: '--select <pattern>',
    summary: 'Of a mirror: a table or column to keep, such as sales.*; may be repeated',
    standard: 'what the project says, or all',
    isRepeatable: true,
  },
  TIDEMARK_EXCLUDE: {
    flags: '--exclude <pattern>',
    summary: 'Of a mirror: a table or column to leave out, such as *.password; may be repeated',
    standard: 'what the project says, or none',
    isRepeatable: true,
  },
  TIDEMARK_PG_BIN: {
    flags: '--pg-bin <folder>',
    summary: 'Folder with the Postgres programs to use',
    standard: 'the embedded ones',
    values: 'folder',
  },
}
