import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
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
      // The entry is twenty lines around runProgram(); it is run for real in test/e2e, as a child.
      exclude: [
        'src/**/*.test.ts',
        'src/**/*.contract.ts',
        'src/apps/cli/tidemark.ts',
        // Runs in a browser.
        'src/apps/server/browser/**',
      ],
      reporter: ['text-summary', 'json-summary'],
      reportOnFailure: true,
      thresholds: { lines: 90, branches: 90 },
    },
  },
})
