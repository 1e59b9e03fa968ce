import {
  type CompletableOption,
  type CompletablePlace,
  type CompletableValue,
  quoteForShell as quote,
} from './completable.ts'

/** The completion script for zsh, to be loaded after `compinit` or put into `fpath`. */
export function completeZsh(places: readonly CompletablePlace[]): string {
  return `#compdef tidemark
# Completes tidemark in zsh.
${places.map(describePlace).join('\n')}
if [[ $funcstack[1] == _tidemark ]]; then _tidemark "$@"; else compdef _tidemark tidemark; fi
`
}

function describePlace(place: CompletablePlace): string {
  const { path, children, values, options } = place
  const specs = options.flatMap(describeOption)
  if (children.length === 0) {
    const rest = values.map((value, at) => quote(`${at + 1}:${path.at(-1)}:${action(value)}`))
    return `${nameOf(path)}() {
  _arguments -s -S \\
    ${[...specs, ...rest].join(' \\\n    ')}
}`
  }
  const names = children.map(({ name, summary }) => quote(`${name}:${summary}`))
  const branches = children.map(({ name }) => `        ${name}) ${nameOf([...path, name])} ;;`)
  return `${nameOf(path)}() {
  local curcontext=$curcontext state line
  local -a commands
  _arguments -C -s \\
    ${[...specs, "'1: :->command'", "'*:: :->rest'"].join(' \\\n    ')}
  case $state in
    command)
      commands=(${names.join(' ')})
      _describe command commands ;;
    rest)
      case $line[1] in
${branches.join('\n')}
      esac ;;
  esac
}`
}

function describeOption({ names, summary, value }: CompletableOption): string[] {
  const said = summary.replaceAll(/[[\]\\:]/g, String.raw`\$&`)
  const takes = value === undefined ? '' : `:value:${action(value)}`
  return names.map((name) => quote(`(${names.join(' ')})${name}[${said}]${takes}`))
}

function action(value: CompletableValue): string {
  if (value === 'folder') return '_files -/'
  return value.length === 0 ? ' ' : `(${value.join(' ')})`
}

function nameOf(path: readonly string[]): string {
  return ['_tidemark', ...path].join('_').replaceAll('-', '_')
}
