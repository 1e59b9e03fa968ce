import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App } from 'aws-cdk-lib'
import { readDeployed } from './deployed.ts'
import { parseParameters } from './parameters.ts'
import { createStacks } from './stacks.ts'
import type { StackTemplate } from './template.ts'

const deployed = await readDeployed()

/** Synthesized templates. Disposing removes their files. */
export interface Synthesis extends Disposable {
  readonly app: App
  /** By the id of the stack: `Storage`, `Pipeline` and so on. */
  readonly templates: ReadonlyMap<string, StackTemplate>
  /** Ids of the stacks that cannot be deleted until somebody allows it. */
  readonly protectedStacks: readonly string[]
}

/**
 * Synthesizes the templates for the given parameters, with empty folders instead of a build: only the
 * names of assets depend on the build. Disposing removes the files.
 */
export function synthesize(
  given: Readonly<Record<string, unknown>> = {},
  prepare: (app: App) => void = () => {},
): Synthesis {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-infra-'))
  const built = {
    codeDir: join(folder, 'lambda'),
    siteDir: join(folder, 'site'),
    viewerRequestFile: join(folder, 'viewer-request.js'),
  }
  mkdirSync(built.codeDir)
  mkdirSync(built.siteDir)
  writeFileSync(join(built.codeDir, 'extract.lambda.mjs'), '')
  writeFileSync(join(built.siteDir, 'login'), '')
  writeFileSync(built.viewerRequestFile, 'function handler(event) { return event.request }\n')
  const app = new App({ outdir: join(folder, 'cdk.out'), context: readFeatureFlags() })
  prepare(app)
  const stacks = createStacks(app, parseParameters(given), { built, deployed })
  const assembly = app.synth()
  return {
    app,
    templates: new Map(
      assembly.stacks.map((artifact) => [artifact.id, artifact.template as StackTemplate]),
    ),
    protectedStacks: stacks
      .filter(({ terminationProtection }) => terminationProtection)
      .map(({ node }) => node.id),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** The flags that `cdk` passes. Without them the templates would differ. */
function readFeatureFlags(): Record<string, unknown> {
  const file = new URL('../../cdk.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { context: Record<string, unknown> }).context
}

/** Parameters that switch every option on. */
export const EVERYTHING = {
  alertEmail: 'alerts@example.org',
  drop: 's3://others-bucket/for/tidemark',
  ratesUrl: 'https://rates.example.org',
  reportsFile: 's3://config-bucket/tidemark/reports.json',
  mailFrom: 'reports@example.org',
  saverSecret: 'tidemark/saver',
  network: true,
  warehouse: true,
  quicksight: true,
  quicksightAnalyst: 'arn:aws:quicksight:eu-west-2:111122223333:group/default/analyst',
  quicksightFinance: 'arn:aws:quicksight:eu-west-2:111122223333:group/default/reserved',
  quicksightSecretArn:
    'arn:aws:secretsmanager:eu-west-2:111122223333:secret:tidemark/warehouse-reader-AbCdEf',
}
