import { spawnSync } from 'node:child_process'
import { defineConfig } from 'vitest/config'
import { useMemoryFolder } from './test/support/run-folder.ts'

useMemoryFolder()

// Its tests need an S3 server and say so where there is none; then it is not counted either.
const isWithoutS3 = spawnSync('scripts/s3-server.sh', ['--check']).status !== 0

// They change their process (its environment, folder, output, signals or modules), measure its memory, or
// install packages.
const ALONE = [
  'src/apps/{aws,local,project}/**/*.test.ts',
  'src/apps/environment.test.ts',
  'src/platform/presentation/{ask,csv,xlsx}.pg.test.ts',
  'src/platform/source/drop.test.ts',
  'src/**/*.s3.test.ts',
  'test/**/*.s3.test.ts',
  'test/e2e/{bounded,contained-values,package,package-databases,tutorial}.pg.test.ts',
]

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'alone',
          include: ALONE,
          exclude: ['**/node_modules/**'],
          globalSetup: ['test/support/global-setup.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'node',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: [...ALONE, 'test/browser/**', '**/node_modules/**'],
          globalSetup: ['test/support/global-setup.ts'],
          // One file after the other in a process: what they import is most of what many of them cost.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'browser',
          include: ['test/browser/**/*.test.ts'],
          globalSetup: ['test/browser/global-setup.ts'],
        },
      },
    ],
    // For what never ends: a machine with other work may take ten times as long as an idle one.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 120_000 } },
    maxWorkers: 2,
    // Real servers on a busy machine: once more there, reported as such; never at a desk.
    retry: process.env['CI'] === undefined ? 0 : 1,
    reporters:
      process.env['CI'] === undefined
        ? ['default']
        : ['default', ['json', { outputFile: 'coverage/tests.json' }]],
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: [
        'src/**/*.test.ts',
        'src/**/*.contract.ts',
        // Makes templates for tests and for the diagram in the docs.
        'src/infra/{synthesize,template-facts}.ts',
        // The entry is twenty lines around runProgram(); it is run for real in test/e2e, as a child.
        'src/apps/cli/tidemark.ts',
        // The entry for `cdk`: forty lines around createStacks(); run by `npm run synth` in CI.
        'src/infra/app.ts',
        ...(isWithoutS3 ? ['src/platform/lake/store/s3-store.ts'] : []),
        // Runs in Chromium (test/browser), whose coverage is not collected.
        'src/apps/server/browser/**',
        'src/apps/aws/site/**',
      ],
      reporter: ['text-summary', 'json-summary'],
      reportOnFailure: true,
      thresholds: { lines: 90, branches: 90 },
    },
  },
})
