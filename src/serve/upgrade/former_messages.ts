/**
 * Messages of a succession in the words of the version before (see `FORMER_WORDS_END`), which are:
 *
 * | today                                 | before                              | where                        |
 * |---------------------------------------|-------------------------------------|------------------------------|
 * | `handover`                            | `carried`                           | `take`, `yours`              |
 * | type `command`, field `command`       | type `order`, field `order`         | `heir`                       |
 * | `{command: "desire", desired}`        | `{order: "stand", standing}`        | in it                        |
 * | type `down`                           | type `away`                         | `heir`, `elder`              |
 * | `down_ms`                             | `away_ms`                           | event `endpoint_up`          |
 * | states `down`, `probing`              | `away`, `trial`                     | endpoints of a report        |
 *
 * Both sides understand both. What is sent is in the words of who reads it, which `vocabulary` tells: see succession.ts.
 */

import { currentState, formerState } from "../../observe/former_words.ts";
import { type ToPredecessor, type ToSuccessor, VOCABULARY } from "./succession.ts";

type Json = Readonly<Record<string, unknown>>;

/**
 * A message in the words of the process that reads it.
 *
 * @param vocabulary what that process has told; undefined = a version that did not tell
 */
export function inWordsOf(vocabulary: number | undefined, message: ToSuccessor | ToPredecessor): object {
  if (vocabulary === VOCABULARY) return message;
  switch (message.type) {
    case "take":
    case "yours":
      return renamed({ ...message }, "handover", "carried");
    case "elder":
    case "heir":
      return { ...message, message: formerMessage({ ...message.message }) };
    default:
      return message;
  }
}

/** A message in our words, whichever it came in. Others are left as they are. */
export function inOurWords(heard: Json): Json {
  switch (heard["type"]) {
    case "take":
    case "yours":
      return renamed(heard, "carried", "handover");
    case "elder":
    case "heir":
      return isObject(heard["message"]) ? { ...heard, message: currentMessage(heard["message"]) } : heard;
    default:
      return heard;
  }
}

function formerMessage(message: Json): Json {
  switch (message["type"]) {
    case "command":
      return { type: "order", id: message["id"], order: formerCommand(message["command"] as Json) };
    case "down":
      return { ...message, type: "away" };
    case "event":
      return withPart(message, "event", (event) => renamed(event, "down_ms", "away_ms"));
    default:
      return withPart(message, "report", (report) => withStates(report, formerState));
  }
}

function currentMessage(message: Json): Json {
  switch (message["type"]) {
    case "order":
      return isObject(message["order"])
        ? { type: "command", id: message["id"], command: currentCommand(message["order"]) }
        : message;
    case "away":
      return { ...message, type: "down" };
    case "event":
      return withPart(message, "event", (event) => renamed(event, "away_ms", "down_ms"));
    default:
      return withPart(message, "report", (report) => withStates(report, currentState));
  }
}

function formerCommand(command: Json): Json {
  return command["command"] === "desire"
    ? { order: "stand", standing: command["desired"] }
    : renamed(command, "command", "order");
}

function currentCommand(order: Json): Json {
  return order["order"] === "stand"
    ? { command: "desire", desired: order["standing"] }
    : renamed(order, "order", "command");
}

/** The states of all endpoints of a report. */
function withStates(report: Json, wordOf: (state: string) => string): Json {
  return withEach(report, "upstreams", (upstream) =>
    withEach(upstream, "endpoints", (endpoint) => {
      const { state } = endpoint as { readonly state?: unknown };
      return typeof state === "string" ? { ...endpoint, state: wordOf(state) } : endpoint;
    }));
}

function withEach(object: Json, name: string, change: (each: Json) => Json): Json {
  const list = object[name];
  return Array.isArray(list)
    ? { ...object, [name]: list.map((each) => isObject(each) ? change(each) : each) }
    : object;
}

function withPart(object: Json, name: string, change: (part: Json) => Json): Json {
  const part = object[name];
  return isObject(part) ? { ...object, [name]: change(part) } : object;
}

/** The same with another name for one of its fields, where it has it. */
function renamed(object: Json, from: string, to: string): Json {
  if (!(from in object)) return object;
  const { [from]: value, ...rest } = object;
  return { ...rest, [to]: value };
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null;
}
