// `cdk` runs this after a build (see `cdk.json`): the stacks of Tidemark, checked by cdk-nag. A finding
// that is not acknowledged fails the synthesis.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { App, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { ConfigError } from '../platform/errors.ts'
import { readDeployed } from './deployed.ts'
import { parseParameters } from './parameters.ts'
import { createStacks } from './stacks.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const app = new App()
Validations.of(app).addPlugins(new AwsSolutionsChecks(app))

/** Names of parameters have only letters; feature flags and cdk's own context have other characters. */
const context = Object.entries(app.node.getAllContext() as Record<string, unknown>)
const given = Object.fromEntries(context.filter(([key]) => /^[A-Za-z]+$/.test(key)))
try {
  const parameters = parseParameters(given)
  const { architecture } = parameters
  createStacks(app, parameters, {
    built: {
      codeDir: built(`build/lambda/${architecture}`, `package-lambda.js --arch ${architecture}`),
      siteDir: built('build/site', 'build-site.js'),
      viewerRequestFile: join(root, 'src/apps/aws/viewer-request.js'),
    },
    deployed: await readDeployed(),
  })
} catch (error) {
  if (!(error instanceof ConfigError)) throw error
  process.stderr.write(`${error.message}\n  hint: ${error.hint ?? 'see docs/aws.md'}\n`)
  process.exit(2)
}

/** A folder that a script makes before the synthesis. Throws `ConfigError` if it is missing. */
function built(path: string, script: string): string {
  const folder = join(root, path)
  if (existsSync(folder)) return folder
  throw new ConfigError(`The folder ${path} to deploy is missing`, {
    code: 'NOT_BUILT',
    hint: `npm run -s build && node scripts/${script}`,
  })
}
