import { useLayoutEffect } from "preact/hooks";
import { addPageCommands, type Command } from "../commands";
import { focusPage } from "./focus";

/** A page beside the alerts: a heading, what can be done, and the content. Brings its commands along. */
export function Page(properties: {
  title: string;
  commands: readonly Command[];
  problem: string | null;
  tools?: preact.ComponentChildren;
  children: preact.ComponentChildren;
}) {
  const { title, commands, problem, tools, children } = properties;
  useLayoutEffect(() => addPageCommands(commands), [commands]);
  useLayoutEffect(focusPage, []);
  return (
    <main class="page">
      <div class="page-head">
        <h1 tabIndex={-1} data-page-focus>
          {title}
        </h1>
        <span class="space" />
        {tools}
      </div>
      {problem && (
        <p class="problem" role="alert" data-testid="page-problem">
          {problem}
        </p>
      )}
      {children}
    </main>
  );
}
