import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { clock } from "../state";
import { wordAgo, wordDuration, wordLeft, wordWholeTime } from "../time";

/** How long something lasts by now. Only the text changes, and only when it reads differently. */
export function Age({ since }: { since: number }) {
  const text = useMemo(() => computed(() => wordDuration(clock.value - since)), [since]);
  return <>{text}</>;
}

/** A time as its distance from now, with the whole time on pointing at it. */
export function Moment({ at, future = false }: { at: string; future?: boolean }) {
  const text = useMemo(() => {
    const time = Date.parse(at);
    return computed(() => (future ? wordLeft(time, clock.value) : wordAgo(time, clock.value)));
  }, [at, future]);
  return (
    <time dateTime={at} title={wordWholeTime(Date.parse(at))}>
      {text}
    </time>
  );
}
