import {
  type CompletableOption,
  type CompletablePlace,
  type CompletableValue,
  optionsWithValue,
} from './completable.ts'

/** The completion script for fish 3 or newer. */
export function completeFish(places: readonly CompletablePlace[]): string {
  const known = places.flatMap(({ path }) => (path.length === 0 ? [] : [quote(path.join(' '))]))
  return `# Completes tidemark in fish.
# The commands given so far, and how many values follow them: "quarantine list:0".
function __tidemark_place
    set -l place ''
    set -l given 0
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip -eq 1
            set skip 0
            continue
        end
        switch $word
            case ${optionsWithValue(places).join(' ')}
                set skip 1
                continue
            case '-*'
                continue
        end
        set -l next (string trim -- "$place $word")
        if contains -- $next ${known.join(' ')}
            set place $next
        else
            set given (math $given + 1)
        end
    end
    echo "$place:$given"
end

function __tidemark_at
    set -l place (__tidemark_place)
    contains -- $place $argv
end

function __tidemark_in
    set -l place (string replace -r ':\\d+$' '' -- (__tidemark_place))
    test "$place" = "$argv[1]"
end

complete -c tidemark -f
${places.flatMap(describePlace).join('\n')}
`
}

function describePlace({ path, children, values, options }: CompletablePlace): string[] {
  const place = path.join(' ')
  const isIn = quote(`__tidemark_in '${place}'`)
  return [
    ...children.map(
      ({ name, summary }) =>
        `complete -c tidemark -n ${quote(`__tidemark_at '${place}:0'`)} -a ${name} -d ${quote(summary)}`,
    ),
    ...values.flatMap((value, at) =>
      value === 'folder' || value.length === 0
        ? []
        : [
            `complete -c tidemark -n ${quote(`__tidemark_at '${place}:${at}'`)} -a ${quote(value.join(' '))}`,
          ],
    ),
    ...options.map((option) => `complete -c tidemark -n ${isIn} ${describeOption(option)}`),
  ]
}

function describeOption({ names, summary, value }: CompletableOption): string {
  const flags = names.map((name) =>
    name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  )
  return [...flags, ...takes(value), `-d ${quote(summary)}`].join(' ')
}

function takes(value: CompletableValue | undefined): string[] {
  if (value === undefined) return []
  if (value === 'folder') return ['-x', `-a ${quote('(__fish_complete_directories)')}`]
  return value.length === 0 ? ['-x'] : ['-x', `-a ${quote(value.join(' '))}`]
}

/** Fish knows two escapes between single quotes. */
function quote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`
}
