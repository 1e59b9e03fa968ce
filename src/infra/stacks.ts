import type { App, Stack } from 'aws-cdk-lib'
import type { Deployed } from './deployed.ts'
import { createNetwork } from './network.ts'
import type { Parameters } from './parameters.ts'
import { createPipeline } from './pipeline.ts'
import { createPresentation } from './presentation.ts'
import { createQuickSight } from './quicksight.ts'
import { createStorage } from './storage.ts'
import { createWarehouse } from './warehouse.ts'

/** What a build made for the deployment. */
export interface Built {
  /** Folder with the package of the functions. */
  readonly codeDir: string
  /** Folder with the site's files that need no login. */
  readonly siteDir: string
  /** The CloudFront Function that turns a cookie into a token. */
  readonly viewerRequestFile: string
}

/** Creates every stack that the parameters ask for, in the order of their deployment. */
export function createStacks(
  app: App,
  parameters: Parameters,
  { built, deployed }: { built: Built; deployed: Deployed },
): Stack[] {
  const { account, region } = parameters
  const env = {
    ...(account === undefined ? {} : { account }),
    ...(region === undefined ? {} : { region }),
  }
  const tags = { application: parameters.name }
  const common = { env, tags, parameters }
  const storage = createStorage(app, common)
  const network = parameters.network ? createNetwork(app, common) : undefined
  const warehouse =
    parameters.warehouse && network !== undefined
      ? createWarehouse(app, { ...common, network })
      : undefined
  const pipeline = createPipeline(app, { ...common, storage, network, codeDir: built.codeDir })
  const { alerts } = pipeline
  return [
    storage.stack,
    ...(network === undefined ? [] : [network.stack]),
    ...(warehouse === undefined ? [] : [warehouse.stack]),
    pipeline.stack,
    ...(parameters.presentation
      ? [createPresentation(app, { ...common, ...built, ...deployed, storage, network, alerts })]
      : []),
    ...(parameters.quicksight
      ? [createQuickSight(app, { ...common, ...deployed, warehouse, network })]
      : []),
  ]
}
