import { once } from 'node:events'
import { readQuestions } from '../../../platform/presentation/question.ts'
import { createReader } from '../../../platform/presentation/reader.ts'
import { openEnvironment, VERSION } from '../../environment.ts'
import { readAccess } from '../../server/auth.ts'
import { startServer } from '../../server/serve.ts'
import type { CommandContext } from '../context.ts'
import { EXIT } from '../exit-code.ts'

const QUESTIONS = new URL('../../../totesys/presentation/', import.meta.url)

/** `tidemark serve`: answers from the warehouse as it is until interrupted; runs nothing. */
export async function serveCommand({ output, config, signal }: CommandContext): Promise<number> {
  const access = readAccess(config)
  await using environment = await openEnvironment({ config, log: output.log, fill: false, signal })
  await using reader = createReader(environment.reader)
  await using server = await startServer({
    reader,
    questions: readQuestions(QUESTIONS),
    promiseMs: config.TIDEMARK_PROMISE_MINUTES * 60_000,
    access,
    log: output.log,
    version: VERSION,
    port: config.TIDEMARK_PORT,
  })
  output.emit({ event: 'server_started', url: server.url, login: access.oidc !== undefined })
  output.note(
    [
      `  Payments    ${server.url}/payments/next5`,
      `  API         ${server.url}/docs`,
      `  ${access.oidc === undefined ? 'For this machine only, without a login.' : 'Every request needs a token.'}   Ctrl-C stops it.`,
    ].join('\n'),
  )
  if (!signal.aborted) await once(signal, 'abort')
  output.note('  Stopped.')
  return EXIT.interrupted
}
