import {
  type CompletablePlace,
  type CompletableValue,
  optionsWithValue,
  quoteForShell as quote,
} from './completable.ts'

/** The completion script for bash 3.2 or newer. It needs no other package. */
export function completeBash(places: readonly CompletablePlace[]): string {
  const groups = places.filter(({ children }) => children.length > 0)
  const known = places.flatMap(({ path }) => (path.length === 0 ? [] : [quote(path.join(' '))]))
  return `# Completes tidemark in bash.
_tidemark() {
  local cur=\${COMP_WORDS[COMP_CWORD]} word place='' given=0 at skip=0
  COMPREPLY=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    word=\${COMP_WORDS[at]}
    if ((skip)); then skip=0; continue; fi
    case $word in
      ${optionsWithValue(places).join('|')}) skip=1; continue ;;
      -*) continue ;;
    esac
    case "\${place:+$place }$word" in
      ${known.join('|')}) place="\${place:+$place }$word" ;;
      *) given=$((given + 1)) ;;
    esac
  done
  if ((skip)); then
    case $word in
${valuesOfOptions(places)}
    esac
    return
  fi
  local words=''
  if [[ $cur == -* ]]; then
    case $place in
${places.map(({ path, options }) => `      ${quote(path.join(' '))}) words=${quote(options.flatMap(({ names }) => names).join(' '))} ;;`).join('\n')}
    esac
  else
    case $place:$given in
${groups.map(({ path, children }) => `      ${quote(`${path.join(' ')}:0`)}) words=${quote(children.map(({ name }) => name).join(' '))} ;;`).join('\n')}
${places.flatMap(valuesOfArguments).join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _tidemark tidemark
`
}

function valuesOfOptions(places: readonly CompletablePlace[]): string {
  const lines = places
    .flatMap((place) => place.options)
    .flatMap(({ names, value }) =>
      value === undefined || value.length === 0
        ? []
        : [`      ${names.join('|')}) COMPREPLY=(${suggest(value)}) ;;`],
    )
  return [...new Set(lines)].join('\n')
}

function valuesOfArguments({ path, values }: CompletablePlace): string[] {
  return values.flatMap((value, at) =>
    value === 'folder' || value.length === 0
      ? []
      : [`      ${quote(`${path.join(' ')}:${at}`)}) words=${quote(value.join(' '))} ;;`],
  )
}

function suggest(value: CompletableValue): string {
  return value === 'folder'
    ? '$(compgen -d -- "$cur")'
    : `$(compgen -W ${quote(value.join(' '))} -- "$cur")`
}
