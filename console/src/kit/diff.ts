/** What differs between two texts, line by line. */

export interface DiffLine {
  mark: " " | "-" | "+";
  text: string;
}

/** The lines of both in order, those that both have once: by their longest common sequence. */
export function diffLines(before: readonly string[], after: readonly string[]): DiffLine[] {
  // `common[a][b]`: how many lines the ends from `a` and from `b` on have in common.
  const common = Array.from({ length: before.length + 1 }, () => new Uint32Array(after.length + 1));
  const at = (a: number, b: number) => common[a]?.[b] ?? 0;
  for (let a = before.length - 1; a >= 0; a--)
    for (let b = after.length - 1; b >= 0; b--)
      (common[a] as Uint32Array)[b] =
        before[a] === after[b] ? at(a + 1, b + 1) + 1 : Math.max(at(a + 1, b), at(a, b + 1));
  const found: DiffLine[] = [];
  let [a, b] = [0, 0];
  while (a < before.length || b < after.length) {
    if (a < before.length && b < after.length && before[a] === after[b]) {
      found.push({ mark: " ", text: before[a++] as string });
      b++;
    } else if (b >= after.length || (a < before.length && at(a + 1, b) >= at(a, b + 1)))
      found.push({ mark: "-", text: before[a++] as string });
    else found.push({ mark: "+", text: after[b++] as string });
  }
  return found;
}
