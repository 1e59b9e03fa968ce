import { basename, dirname } from 'node:path'

/** The words that call Tidemark: from the path, or through npx. */
export type Call = 'tidemark' | 'npx tidemark'

/**
 * How to call Tidemark again, from the way this process was started. npx and npm say so in the
 * environment (`npm_command`). `program`, the path that Node was given, is a link called `tidemark`
 * if that command is on the path; in a clone it is the file itself or a link in `node_modules`.
 */
export function readCall(
  program: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): Call {
  if (env['npm_command'] !== undefined || program === undefined) return 'npx tidemark'
  const isLocal = dirname(program).endsWith('/node_modules/.bin')
  return basename(program) === 'tidemark' && !isLocal ? 'tidemark' : 'npx tidemark'
}

/**
 * A command to type comes at the beginning of a text, or after these signs and words, even in
 * colour. Any other mention, such as a title, stays unchanged.
 */
const IN_HINTS = /(?<=(?:^|: |\(|· |\b(?:see|run|mean) )(?:\p{Cc}\[\d+m)?)tidemark (?=[a-z[-])/gu

/** Writes the commands in a text for people as they must type them. */
export function asTyped(text: string, call: Call): string {
  return call === 'tidemark' ? text : text.replaceAll(IN_HINTS, `${call} `)
}
