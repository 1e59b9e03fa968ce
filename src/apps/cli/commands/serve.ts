import { once } from 'node:events'
import { openEnvironment } from '../../environment.ts'
import { watchAge } from '../../alerts/start-alerts.ts'
import { checkReports, startReports } from '../../reports/start-reports.ts'
import { readAccess } from '../../server/access.ts'
import { DEFAULT_PORT, openServer } from '../../server/open-server.ts'
import { checkPort } from '../../server/serve.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'
import { describeAddresses } from '../served-addresses.ts'

/** `tidemark serve`: serves dashboard and API from the warehouse as it is, until interrupted. */
export async function serveCommand({
  output,
  config,
  given,
  signal,
}: CommandContext): Promise<number> {
  // First, so that nothing starts in vain.
  const port = config.TIDEMARK_PORT ?? DEFAULT_PORT
  await checkPort({ host: readAccess(config).host, port })
  await checkReports(config)
  await using environment = await openEnvironment({
    config,
    given,
    log: output.log,
    fill: false,
    mustExist: true,
    warehouseFor: 'the dashboard',
    signal,
  })
  await using server = await openServer(environment, {
    log: output.log,
    port,
  })
  await using _reports = await startReports(environment, { log: output.log, url: server.url })
  await using _alerts = await watchAge(environment, { log: output.log })
  const { url, access, addresses } = server
  output.emit({ event: 'server_started', url, login: access.oidc !== undefined })
  output.note(
    [
      `  Dashboard   ${url}`,
      ...describeAddresses(url, addresses),
      `  API         ${url}/docs`,
      `  ${access.oidc === undefined ? 'For this machine only, without a login.' : 'Every request needs a token.'}   Ctrl-C stops it.`,
    ].join('\n'),
  )
  if (!signal.aborted) await once(signal, 'abort')
  output.note('  Stopped.')
  return EXIT.interrupted
}
