import { computed } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { clock } from "../session";
import { wordAgo, wordDuration, wordLeft } from "./time";
import { timeText, wholeText } from "./zone";

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
    <time dateTime={at} title={wholeText(Date.parse(at))}>
      {text}
    </time>
  );
}

/** A time of day, with its day when it is not today, and the whole time on pointing at it. */
export function TimeOf({ at }: { at: string }) {
  const time = Date.parse(at);
  return (
    <time dateTime={at} title={wholeText(time)}>
      {timeText(time)}
    </time>
  );
}
