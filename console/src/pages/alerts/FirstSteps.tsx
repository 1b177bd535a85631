import { useEffect, useState } from "preact/hooks";
import { readClosed, readIntegrations } from "../../api";
import { Moment } from "../../kit/Age";
import { CopyLine, curlLine, isGeneric } from "../../kit/Copy";
import type { Integration } from "../../protocol";

const READ_EVERY_MS = 3_000;

/** Whether there is nothing to be seen because nothing was ever sent: no alert is open, and none has closed. */
export function useIsNew(isAsked: boolean): boolean {
  const [isNew, setIsNew] = useState(false);
  useEffect(() => {
    setIsNew(false);
    if (!isAsked) return;
    const request = new AbortController();
    readClosed({}, null, request.signal).then(
      (page) => setIsNew(page.alerts.length === 0),
      // The words of an empty list stay.
      () => {},
    );
    return () => request.abort();
  }, [isAsked]);
  return isNew;
}

/** The way to the first alert: the key, the line that sends it, and what has come since. */
export function FirstSteps() {
  const [integrations, setIntegrations] = useState<Integration[]>([]);
  useEffect(() => {
    // What cannot be read is asked for again.
    const read = () =>
      void readIntegrations().then(
        (answer) => setIntegrations(answer.integrations),
        () => {},
      );
    read();
    const timer = setInterval(read, READ_EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const first = integrations.find((integration) => isGeneric(integration.type)) ?? integrations[0];
  const accepted = integrations.flatMap((integration) => integration.keys).reduce((sum, key) => sum + key.accepted, 0);
  const refusal = integrations.flatMap((integration) => integration.keys.flatMap((key) => key.last_refusal ?? []))[0];
  return (
    <div class="empty first-steps" data-testid="first-steps">
      <h2>No alert has come yet</h2>
      <ol>
        <li>
          <b>Take an integration key.</b> The server shows it when it starts for the first time; others are in the site
          document. {first && <>The first integration is {first.name}.</>}
          <CopyLine text="export REVEILLE_KEY=…" label="Copy the line" />
        </li>
        <li>
          <b>Send an alert.</b>
          <CopyLine text={curlLine(first?.type ?? "api")} label="Copy the line" />
        </li>
        <li role="status" data-testid="first-event">
          <b>{accepted > 0 ? "Accepted; the alert appears here." : "Waiting for the first event…"}</b>
          {refusal && (
            <p class="problem" data-testid="first-refusal">
              Refused <Moment at={refusal.at} />: <span dir="auto">{refusal.message}</span>
            </p>
          )}
        </li>
      </ol>
      <p>
        A click on the alert shows its journey. <a href="/integrations">All integrations</a>
      </p>
    </div>
  );
}
