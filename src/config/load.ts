/**
 * Makes the effective configuration out of flags, environment and documents. All problems are found at once;
 * with a single one there is no configuration. Reads no YAML: see load_config.ts.
 */

import { buildForward, buildThrough, PARENTS, sharedParents } from "./build_forward.ts";
import { buildScript, type ScriptUse, scriptUses } from "./build_scripts.ts";
import { buildAdmin, buildLog, buildProcess, buildServer, buildTls, buildUpstream } from "./build.ts";
import { checkCommands } from "./check_commands.ts";
import { checkCredentials } from "./check_credentials.ts";
import { checkForward } from "./check_forward.ts";
import { checkNames } from "./check_names.ts";
import { joinListeners } from "./listeners.ts";
import { checkTop, checkUpstream, type Findings } from "./checks.ts";
import { buildRoutes, DEFAULT_UPSTREAM } from "./build_routes.ts";
import type { Config, ListenConfig, RouteConfig, ScriptConfig, UpstreamConfig } from "./values/config.ts";
import { type CredentialDraft, readCredentials } from "./file/credentials.ts";
import type { Document } from "./file/document.ts";
import { readFileOptions } from "./file/file_options.ts";
import {
  type Flags,
  isUsual,
  type Layer,
  readEnv,
  readFlags,
  resolve,
  type Resolved,
  resolveUpstream,
} from "./options/layer.ts";
import { flagName } from "./options/option.ts";
import {
  OPTION_PATHS,
  type OptionPath,
  type OptionValues,
  type UpstreamOptionValues,
} from "./options/options.ts";
import { checkOwnAddress } from "./own_address.ts";
import { DEFAULT_ORIGIN, type Origin, type Problem, problemAt } from "./values/problem.ts";
import { quoteIfOdd } from "./values/shown.ts";
import { readRoutes, reportDuplicates, type RoutesResult } from "./file/routes.ts";
import { isUpstreamName, readUpstreams, type UpstreamDraft } from "./file/upstreams.ts";

/** Everything a configuration is made of. */
export interface Sources {
  /** Values of flags by name without dashes. */
  readonly flags: Flags;
  /** The environment; only names that begin with `SLUICE_` are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What one of them gives goes before those behind it; or the one problem that kept a document from being read. */
  readonly documents: readonly (Document | Problem)[];
  /** Why an option of a document cannot be carried out here, whatever else it is; null = it can. */
  readonly unfit?: (path: OptionPath, value: unknown) => string | null;
}

export interface Loaded {
  readonly ok: true;
  readonly config: Config;
  /** Things that are allowed but probably not meant. */
  readonly warnings: readonly Problem[];
  /** The options of the top level; those of scope "upstream" are the defaults of every upstream. */
  readonly values: OptionValues;
  /** The options of each upstream that has a name: its own, else those of the top level. */
  readonly upstreamValues: ReadonlyMap<string, UpstreamOptionValues>;
  /**
   * Where each value was given: all options of the top level by path, and `upstreams.NAME.OPTION` for what
   * an upstream sets itself.
   */
  readonly origins: ReadonlyMap<string, Origin>;
  /** Every place that names a script. */
  readonly scripts: readonly ScriptUse[];
}

export interface Rejected {
  readonly ok: false;
  readonly problems: readonly Problem[];
  /** The only problem is that nothing says where requests should go: the user may need an introduction. */
  readonly nothingToServe: boolean;
}

/** Never throws, whatever the sources hold. Touches no file: paths in the configuration are not looked at. */
export function loadDocuments(sources: Sources): Loaded | Rejected {
  const findings: Findings = { problems: [], warnings: [] };
  const { problems } = findings;
  const documents = readable(sources.documents, problems);
  const flagLayer = readFlags(sources.flags, problems);
  const envLayer = readEnv(sources.env, problems);
  const layers = documents.map((document): Layer =>
    readFileOptions(document, document.root, "", {
      options: OPTION_PATHS,
      keys: ["upstreams", "routes", "credentials"],
      noun: "the file",
    }, problems)
  );
  const given = resolve([flagLayer, envLayer, ...layers]);
  const drafts = readAllUpstreams(documents, problems);
  const credentials = readAllCredentials(documents, problems);
  for (const layer of layers) reportUnfit(layer, "", sources, problems);
  for (const { name, options } of drafts.values()) {
    reportUnfit(options, `upstreams.${name}.`, sources, problems);
  }
  addDefaultUpstream(given, drafts, problems);
  const routes = readAllRoutes(documents, [...drafts.keys()].filter(isUpstreamName), problems);
  const empty = drafts.size === 0 && !routes.given && given.values.to === null &&
    given.values["script.file"] === null;
  const forwards = given.values["forward.listen"];
  const through = empty && forwards !== null && given.values.command !== null;
  const top = empty && forwards !== null ? forProxyOnly(given, through) : given;
  const listeners = joinListeners(top.values.listen, forwards ?? [], through);
  for (const clash of listeners.clashes) {
    problems.push(problemAt(top.originOf("forward.listen"), "forward.listen", clash));
  }

  const upstreams = new Map<string, UpstreamConfig>();
  const valuesOf = new Map<string, UpstreamOptionValues>();
  const origins = new Map<string, Origin>(OPTION_PATHS.map((path) => [path, top.originOf(path)]));
  for (const [name, { origin }] of credentials) origins.set(`credentials.${name}`, origin);
  checkTop(top, listeners.all, findings);
  checkForward(top, listeners.all, through, findings);
  for (const draft of drafts.values()) {
    const values = resolveUpstream(draft.options, top.values);
    const upstream = buildUpstream(draft.name, draft.endpoints ?? [], values);
    upstreams.set(draft.name, upstream);
    valuesOf.set(draft.name, values);
    checkUpstream(draft, upstream, values, top, findings);
    origins.set(`upstreams.${draft.name}.endpoints`, draft.endpointsOrigin);
    for (const [path, given] of draft.options) origins.set(`upstreams.${draft.name}.${path}`, given.origin);
  }
  if (top.values["forward.parents"].length > 0) {
    const draft = drafts.get(PARENTS);
    if (draft !== undefined) {
      const message = "is what the proxies of forward.parents are called: rename one of the two";
      problems.push(problemAt(draft.origin, `upstreams.${PARENTS}`, message));
    }
  }
  checkOwnAddresses(top, listeners.all, drafts, routes, problems);
  const builtRoutes = buildRoutes({ routes, drafts, upstreams, valuesOf, top }, problems);
  const script = buildScript(top, builtRoutes);
  checkCommands([...upstreams.values()], top, drafts, through, findings);
  checkNames([...upstreams.values()], top, drafts, findings);
  checkCredentials(credentials, [...upstreams.values()], top, drafts, findings);
  if (empty && forwards === null && problems.length === 0) {
    return { ok: false, problems: [nothingToServe(documents)], nothingToServe: true };
  }
  if (empty && forwards !== null && listeners.all.some(({ forward }) => !forward)) {
    const message = "nothing says where requests should go that come here: add to or routes, or leave it out";
    problems.push(problemAt(top.originOf("listen"), "listen", message));
  }
  // Which upstreams a script names cannot be seen here.
  if (script === null) warnOfUnused(drafts, builtRoutes, routes.mentioned, findings.warnings);
  checkScripts(top, script, findings);
  const elsewhere = drafts.size > 0 || routes.given || given.values.to !== null;
  if (forwards !== null && !elsewhere && top.originOf("listen").source === "default") {
    checkForwardScript(top, problems);
  }
  if (problems.length > 0) return { ok: false, problems: inOrder(problems), nothingToServe: false };

  const forward = buildForward(top.values);
  const config: Config = {
    listen: listeners.all,
    tls: buildTls(top.values),
    server: buildServer(top.values),
    upstreams: [...upstreams.values(), ...sharedParents(forward)],
    routes: builtRoutes,
    log: buildLog(top.values),
    process: buildProcess(top.values, buildThrough(top.values, through)),
    credentials: [...credentials.values()].flatMap((draft) => draft.config ?? []),
    forward,
    script,
    admin: buildAdmin(top.values),
  };
  return {
    ok: true,
    config,
    warnings: findings.warnings,
    values: top.values,
    upstreamValues: valuesOf,
    origins,
    scripts: scriptUses(top, routes),
  };
}

function checkScripts(top: Resolved, script: ScriptConfig | null, { warnings }: Findings): void {
  if (script !== null) return;
  for (const path of ["script.timeout", "script.stall", "script.on_error", "script.guard"] as const) {
    if (isUsual(path, top.values[path])) continue;
    warnings.push(problemAt(top.originOf(path), path, "has no effect without a script"));
  }
}

/** Where nothing else is asked for but a forward proxy, a script would be asked about nothing. */
function checkForwardScript(top: Resolved, problems: Problem[]): void {
  if (top.values["script.file"] === null) return;
  const message =
    "is not asked about requests of a forward proxy: forward.rules decide there; for a gateway beside it, " +
    "add where that listens (listen)";
  problems.push(problemAt(top.originOf("script.file"), "script", message));
}

/** What is not given, where there is nothing but the forward proxy. */
function forProxyOnly(top: Resolved, through: boolean): Resolved {
  const unlessGiven = <P extends OptionPath>(path: P, value: OptionValues[P]) =>
    top.originOf(path).source === "default" ? { [path]: value } : {};
  return {
    originOf: (path) => top.originOf(path),
    values: {
      ...top.values,
      ...unlessGiven("listen", []),
      // The terminal is the command's, and verbs are for those that stay.
      ...(through ? { ...unlessGiven("log_level", "warn"), ...unlessGiven("control", "off") } : {}),
    },
  };
}

function readable(documents: Sources["documents"], problems: Problem[]): readonly Document[] {
  return documents.filter((document): document is Document => {
    if ("root" in document) return true;
    problems.push(document);
    return false;
  });
}

function reportUnfit(layer: Layer, prefix: string, { unfit }: Sources, problems: Problem[]): void {
  if (unfit === undefined) return;
  for (const [path, { value, origin }] of layer) {
    const why = unfit(path, value);
    if (why !== null) problems.push(problemAt(origin, prefix + path, why));
  }
}

function readAllUpstreams(
  documents: readonly Document[],
  problems: Problem[],
): Map<string, UpstreamDraft> {
  const drafts = new Map<string, UpstreamDraft>();
  for (const document of documents) {
    for (const [name, draft] of readUpstreams(document, problems)) {
      const path = `upstreams.${draft.name}`;
      if (drafts.has(name)) {
        problems.push(problemAt(draft.origin, path, "is there already: rename one of the two"));
      } else drafts.set(name, draft);
    }
  }
  return drafts;
}

function readAllCredentials(
  documents: readonly Document[],
  problems: Problem[],
): ReadonlyMap<string, CredentialDraft> {
  const drafts = new Map<string, CredentialDraft>();
  for (const document of documents) {
    for (const [name, draft] of readCredentials(document, problems)) {
      const path = `credentials.${quoteIfOdd(name)}`;
      if (drafts.has(name)) {
        problems.push(problemAt(draft.origin, path, "is there already: rename one of the two"));
      } else drafts.set(name, draft);
    }
  }
  return drafts;
}

function readAllRoutes(
  documents: readonly Document[],
  names: readonly string[],
  problems: Problem[],
): RoutesResult {
  const results = documents.map((document) => readRoutes(document, names, problems));
  const drafts = results.flatMap((result) => result.drafts);
  reportDuplicates(drafts, problems);
  return {
    drafts,
    mentioned: new Set(results.flatMap(({ mentioned }) => [...mentioned])),
    given: results.some(({ given }) => given),
  };
}

function addDefaultUpstream(top: Resolved, drafts: Map<string, UpstreamDraft>, problems: Problem[]): void {
  const endpoints = top.values.to;
  if (endpoints === null) return;
  const origin = top.originOf("to");
  if (drafts.has(DEFAULT_UPSTREAM)) {
    const message = `makes an upstream named ${DEFAULT_UPSTREAM}, and the file has one too: rename that one`;
    problems.push(problemAt(origin, "to", message));
    return;
  }
  drafts.set(DEFAULT_UPSTREAM, {
    name: DEFAULT_UPSTREAM,
    endpoints,
    endpointsOrigin: origin,
    options: new Map(),
    origin,
  });
}

function checkOwnAddresses(
  top: Resolved,
  listen: readonly ListenConfig[],
  drafts: ReadonlyMap<string, UpstreamDraft>,
  routes: RoutesResult,
  problems: Problem[],
): void {
  const { to } = top.values;
  for (const { name, endpoints, endpointsOrigin } of drafts.values()) {
    const path = endpoints === to ? "to" : `upstreams.${name}.endpoints`;
    checkOwnAddress(listen, endpoints ?? [], endpointsOrigin, path, problems);
  }
  for (const { target, place, targetOrigin } of routes.drafts) {
    if (target.kind !== "endpoints") continue;
    checkOwnAddress(listen, target.endpoints, targetOrigin, `${place}.to`, problems);
  }
}

function warnOfUnused(
  drafts: ReadonlyMap<string, UpstreamDraft>,
  routes: readonly RouteConfig[],
  mentioned: ReadonlySet<string>,
  warnings: Problem[],
): void {
  for (const draft of drafts.values()) {
    const used = mentioned.has(draft.name) ||
      routes.some(({ target }) => target.kind === "upstream" && target.upstream === draft.name);
    if (used) continue;
    warnings.push(problemAt(draft.origin, `upstreams.${draft.name}`, "is not used: no route leads to it"));
  }
}

/** Flags, then the environment, then the file from top to bottom. */
function inOrder(problems: readonly Problem[]): readonly Problem[] {
  const rank = { flag: 0, env: 1, file: 2 };
  return problems.toSorted((a, b) => rank[a.source] - rank[b.source] || (a.line ?? 0) - (b.line ?? 0));
}

function nothingToServe([document]: readonly Document[]): Problem {
  const origin: Origin = document === undefined
    ? DEFAULT_ORIGIN
    : { source: "file", name: document.path, line: null };
  const message = document === undefined
    ? `nothing says where requests should go: give an address, like ${flagName("to")} 3000, or a file with ${
      flagName("config")
    }`
    : "says nowhere where requests should go: add to, upstreams or routes";
  return problemAt(origin, "", message);
}
