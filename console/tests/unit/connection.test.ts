import { beforeEach, expect, test } from "vitest";
import { Connection, type ConnectionStatus, retryDelay, SILENCE_MS, type SocketEvents } from "../../src/connection";

/** A world whose time passes when it is told to. */
class World {
  time = 0;
  timers: { at: number; call: () => void }[] = [];
  sockets: { events: SocketEvents; sent: string[]; isClosed: boolean }[] = [];
  statuses: ConnectionStatus["kind"][] = [];
  received: string[] = [];
  failures = 0;
  cursor = 0;

  readonly connection = new Connection(
    {
      connect: (events) => {
        const socket = { events, sent: [] as string[], isClosed: false };
        this.sockets.push(socket);
        return {
          send: (text) => socket.sent.push(text),
          close: () => {
            socket.isClosed = true;
          },
        };
      },
      now: () => this.time,
      random: () => 0.5,
      after: (milliseconds, call) => {
        const timer = { at: this.time + milliseconds, call };
        this.timers.push(timer);
        return () => {
          this.timers = this.timers.filter((other) => other !== timer);
        };
      },
    },
    {
      hello: () => ({ type: "hello", filter: {}, cursor: String(++this.cursor) }),
      received: (text) => this.received.push(text),
      changed: (status) => this.statuses.push(status.kind),
      failed: () => this.failures++,
    },
  );

  get socket() {
    const last = this.sockets.at(-1);
    if (!last) throw new Error("Nothing has connected.");
    return last;
  }

  pass(milliseconds: number): void {
    const end = this.time + milliseconds;
    for (;;) {
      const next = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((timer) => timer !== next);
      this.time = next.at;
      next.call();
    }
    this.time = end;
  }
}

let world: World;

beforeEach(() => {
  world = new World();
  world.connection.start();
});

function live(): void {
  world.socket.events.opened();
  world.socket.events.received("frame");
}

test("it says hello when it opens and is live with the first frame", () => {
  live();
  expect(world.socket.sent).toEqual(['{"type":"hello","filter":{},"cursor":"1"}']);
  expect(world.statuses).toEqual(["connecting", "live"]);
  expect(world.received).toEqual(["frame"]);
});

test("frames keep it live; silence of 12 s breaks it and it reconnects with a new hello", () => {
  live();
  world.pass(SILENCE_MS - 1);
  world.socket.events.received("beat");
  world.pass(SILENCE_MS - 1);
  expect(world.statuses.at(-1)).toBe("live");
  world.pass(1);
  expect(world.statuses.at(-1)).toBe("waiting");
  expect(world.socket.isClosed).toBe(true);
  world.pass(1000);
  expect(world.sockets).toHaveLength(2);
  live();
  expect(world.socket.sent).toEqual(['{"type":"hello","filter":{},"cursor":"2"}']);
});

test("a socket that was given up is not listened to any more", () => {
  live();
  const old = world.socket;
  old.events.closed();
  world.pass(1000);
  live();
  old.events.received("late");
  old.events.closed();
  expect(world.received).toEqual(["frame", "frame"]);
  expect(world.statuses.at(-1)).toBe("live");
});

test("attempts that fail come ever later, and one that is heard begins anew", () => {
  const waits: number[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    world.socket.events.closed();
    const begin = world.time;
    const known = world.sockets.length;
    while (world.sockets.length === known) world.pass(1);
    waits.push(world.time - begin);
  }
  expect(waits).toEqual([375, 750, 1500, 3000]);
  expect(world.failures).toBe(4);
  live();
  world.socket.events.closed();
  const known = world.sockets.length;
  world.pass(375);
  expect(world.sockets).toHaveLength(known + 1);
  expect(world.failures).toBe(4);
});

test("a stopped connection stays stopped", () => {
  live();
  world.connection.stop();
  world.pass(1_000_000);
  expect(world.sockets).toHaveLength(1);
  expect(world.socket.isClosed).toBe(true);
});

test("nothing is said on a line that is not open", () => {
  expect(world.connection.say({ type: "hello", filter: {} })).toBe(false);
  world.socket.events.opened();
  expect(world.connection.say({ type: "hello", filter: { text: "x" } })).toBe(true);
  expect(world.socket.sent.at(-1)).toContain('"text":"x"');
});

test("the delay doubles up to 20 s, and chance spreads it over its upper half", () => {
  expect([retryDelay(0, 0), retryDelay(0, 1)]).toEqual([250, 500]);
  expect([retryDelay(50, 0), retryDelay(50, 1)]).toEqual([10_000, 20_000]);
});
