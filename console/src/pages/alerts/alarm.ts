/** Calls the operator: a sound, and a notification of the desktop while the page is not looked at. Off until chosen. */
import { effect, signal } from "@preact/signals";
import { load, save } from "../../kit/storage";
import { cut } from "../../kit/text";
import { say } from "../../kit/toasts";
import { type Alert, SEVERITIES, type Severity } from "../../protocol";

/** Only alerts at least as bad as this call. */
const FROM: Severity = "critical";
/** What comes within this time after a call is called together with what follows. */
const QUIET_MS = 5_000;
const TONE_HZ = 880;
const TONE_SECONDS = 0.25;

export const alarmOn = signal(load("alarm") === "on");
effect(() => save("alarm", alarmOn.value ? "on" : null));

let waiting: Alert[] = [];
let quietUntil = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let sound: AudioContext | null = null;

/** Switch it on or off. A browser asks for permission, and lets sounds through, only after such a choice. */
export async function switchAlarm(on: boolean): Promise<void> {
  alarmOn.value = on;
  if (!on) return;
  ring();
  const permission = "Notification" in window ? await Notification.requestPermission() : "denied";
  say(
    permission === "granted"
      ? { text: `Alerts from ${FROM} on call with a sound and a notification.`, failed: false }
      : {
          text: `Alerts from ${FROM} on call with a sound.`,
          detail: "The browser allows no notifications for this address.",
          failed: false,
        },
  );
}

/** Call for alerts that have come and need attention. */
export function call(alerts: readonly Alert[]): void {
  if (!alarmOn.peek()) return;
  const grave = alerts.filter((alert) => SEVERITIES.indexOf(alert.severity) >= SEVERITIES.indexOf(FROM));
  if (grave.length === 0) return;
  waiting.push(...grave);
  clearTimeout(timer);
  timer = setTimeout(callNow, Math.max(0, quietUntil - Date.now()));
}

function callNow(): void {
  const called = waiting;
  waiting = [];
  quietUntil = Date.now() + QUIET_MS;
  ring();
  const first = called[0];
  if (!first || document.hasFocus() || !("Notification" in window) || Notification.permission !== "granted") return;
  const more = called.length > 1 ? ` and ${(called.length - 1).toLocaleString("en")} more` : "";
  const notification = new Notification(`${first.severity}: ${cut(first.name)}${more}`, {
    body: `${cut(first.object)} · ${first.environment}`,
    // The next one takes its place.
    tag: "reveille",
  });
  notification.onclick = () => window.focus();
}

function ring(): void {
  try {
    sound ??= new AudioContext();
    const tone = new OscillatorNode(sound, { frequency: TONE_HZ });
    const volume = new GainNode(sound, { gain: 0.2 });
    tone.connect(volume).connect(sound.destination);
    tone.start();
    tone.stop(sound.currentTime + TONE_SECONDS);
  } catch {
    // There is no device to sound on.
  }
}
