/** Adds a slider to every field that has moments to choose from. */
export function addSliders(root: HTMLElement): void {
  for (const field of root.querySelectorAll<HTMLInputElement>('input[data-slider]')) {
    const options = [...(field.list?.options ?? [])].toReversed()
    if (options.length < 2) continue
    const slider = document.createElement('input')
    slider.type = 'range'
    slider.min = '0'
    slider.max = String(options.length - 1)
    const place = options.findLastIndex(({ value }) => value <= field.value)
    slider.value = String(Math.max(0, place))
    slider.setAttribute('aria-label', 'Choose the moment by batch')
    const say = (): void => {
      const option = options[Number(slider.value)]
      slider.setAttribute(
        'aria-valuetext',
        `${option?.value.replace('T', ' ')} UTC, ${option?.label}`,
      )
    }
    say()
    slider.addEventListener('input', () => {
      field.value = options[Number(slider.value)]?.value ?? field.value
      say()
    })
    slider.addEventListener('change', () => field.form?.requestSubmit())
    field.form?.append(slider)
  }
}
