/** The colours and the font of the page as the style sheet sets them now, light or dark. */
export interface Theme {
  readonly paper: string
  readonly ink: string
  readonly muted: string
  readonly line: string
  /** The colour of the plot. */
  readonly main: string
  /** Colours for the places in a stack. */
  readonly series: readonly string[]
  readonly up: string
  readonly down: string
  readonly font: string
  /** Whether the drawing appears at once, without animation. */
  readonly isStill: boolean
  /** The width of the drawing; what does not fit is left out. */
  readonly widthPx: number
}

/** Small text, muted unless a colour is given. */
export function textStyle(theme: Theme, color = theme.muted) {
  return { color, fontFamily: theme.font, fontSize: 11 }
}

/** A striped pattern, for what goes out, is deleted or is lost, whatever its colour. */
export function stripes({ paper }: Theme) {
  return { symbol: 'rect', color: paper, dashArrayX: [1, 0], dashArrayY: [2, 4], rotation: -0.785 }
}

/** The pattern for a place in a stack, so that colour alone tells nothing. The first has none. */
export function decalOf(place: number, { paper }: Theme) {
  const patterns = [
    undefined,
    { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: -0.785 },
    {
      symbol: 'circle',
      dashArrayX: [
        [6, 6],
        [0, 6, 6, 0],
      ],
      dashArrayY: [6, 0],
      symbolSize: 0.6,
    },
    { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [2, 5], rotation: 0.785 },
    { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [3, 6], rotation: 0 },
    { symbol: 'rect', dashArrayX: [1, 0], dashArrayY: [3, 6], rotation: 1.571 },
  ]
  const pattern = patterns[place % patterns.length]
  return pattern === undefined ? {} : { decal: { ...pattern, color: fade(paper, 0.55) } }
}

function channels(color: string): number[] {
  const hex = color.trim().replace('#', '')
  return [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16))
}

/** Mixes a share (0 to 1) of the second colour into the first; all colours are `#rrggbb`. */
export function mix(first: string, second: string, share: number): string {
  const other = channels(second)
  const parts = channels(first).map((part, at) =>
    Math.round(part + ((other[at] ?? 0) - part) * share)
      .toString(16)
      .padStart(2, '0'),
  )
  return `#${parts.join('')}`
}

function fade(color: string, alpha: number): string {
  return `rgba(${channels(color).join(', ')}, ${alpha})`
}
