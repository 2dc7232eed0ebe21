/** Whom a name is looked up with: the files of the machine, its name servers, or the platform. */

import { type NameFiles, type Runtime, type System, SystemError } from "../../runtime/contract/contract.ts";
import { isLocalhostName } from "../bytes/ip_address.ts";
import { DnsLookUp, type LookUpEvents, type NameAnswer, NO_ADDRESS } from "./dns_look_up.ts";
import { parseHosts } from "./hosts_file.ts";
import { type NameOrder, parseNameOrder } from "./name_order.ts";
import { PlatformNames } from "./platform_names.ts";
import { parseResolvConf, type ResolvConf } from "./resolv_conf.ts";
import { ServerMemory } from "./server_memory.ts";

/** How long what stands in the files is taken for what stands there. */
const FILES_MS = 1000;
/** How long an answer out of the hosts file is good for. */
const HOSTS_TTL_MS = 5000;
const LOOPBACK: NameAnswer = {
  four: { addresses: ["127.0.0.1"], ttlMs: Infinity },
  six: { addresses: ["::1"], ttlMs: Infinity },
  failure: null,
};

interface Files {
  readonly hosts: ReadonlyMap<string, readonly string[]>;
  readonly servers: ResolvConf;
  readonly order: NameOrder;
}

export interface CancellableLookUp {
  cancel(): void;
}

export class NameSources {
  readonly #runtime: Runtime;
  readonly #system: Pick<System, "readText">;
  readonly #paths: NameFiles | null;
  readonly #platform: PlatformNames;
  readonly #memory = new ServerMemory();
  #files: Promise<Files> | null = null;
  #readAt = -Infinity;
  readonly #hosts = new Parsed(parseHosts);
  readonly #servers = new Parsed(parseResolvConf);
  readonly #order = new Parsed(parseNameOrder);

  constructor(runtime: Runtime, system: Pick<System, "readText" | "nameFiles">) {
    this.#runtime = runtime;
    this.#system = system;
    this.#paths = system.nameFiles;
    this.#platform = new PlatformNames(runtime);
  }

  /** @param name lower case, no IP literal. Events are never called inside this call. */
  lookUp(name: string, events: LookUpEvents): CancellableLookUp {
    let cancelled = false;
    let dns: DnsLookUp | null = null;
    const finish = (answer: NameAnswer) => {
      if (!cancelled) events.done(answer);
    };
    const askPlatform = () => void this.#platform.lookUp(name).then(finish);
    const begin = async () => {
      const files = this.#paths === null ? null : await this.#read(this.#paths);
      if (cancelled) return;
      const listed = files?.order.files === true ? listedIn(files.hosts, name) : null;
      if (listed !== null && (files?.order.filesFirst === true || isLocalhostName(name))) {
        finish(listed);
      } else if (isLocalhostName(name)) finish(LOOPBACK);
      else if (files === null || (files.order.mdns && /\.local\.?$/.test(name))) askPlatform();
      else if (!files.order.dns) files.order.others ? askPlatform() : finish(listed ?? NO_ADDRESS);
      else {
        dns = new DnsLookUp(this.#runtime, files.servers, this.#memory, name, {
          partly: (answer) => events.partly(answer),
          done: (answer) => {
            if (!isAbsent(answer)) finish(answer);
            else if (listed !== null) finish(listed);
            else if (files.order.others) askPlatform();
            else finish(answer);
          },
        });
      }
    };
    void begin();
    return {
      cancel() {
        cancelled = true;
        dns?.cancel();
      },
    };
  }

  #read(paths: NameFiles): Promise<Files> {
    const now = this.#runtime.clock.now();
    if (this.#files === null || now - this.#readAt >= FILES_MS) {
      this.#readAt = now;
      this.#files = this.#readAll(paths);
    }
    return this.#files;
  }

  async #readAll({ hosts, servers, order }: NameFiles): Promise<Files> {
    const [hostsText, serversText, orderText] = await Promise.all(
      [hosts, servers, order].map((path) => this.#text(path)),
    );
    return {
      hosts: this.#hosts.of(hostsText ?? ""),
      servers: this.#servers.of(serversText ?? ""),
      order: this.#order.of(orderText ?? ""),
    };
  }

  async #text(path: string): Promise<string> {
    try {
      return await this.#system.readText(path);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      return "";
    }
  }
}

/** What a text means, kept while the text is the same: hosts files may be long. */
class Parsed<T> {
  readonly #parse: (text: string) => T;
  #text: string | null = null;
  #value: T | null = null;

  constructor(parse: (text: string) => T) {
    this.#parse = parse;
  }

  of(text: string): T {
    if (this.#value === null || text !== this.#text) {
      this.#text = text;
      this.#value = this.#parse(text);
    }
    return this.#value;
  }
}

function listedIn(hosts: Files["hosts"], name: string): NameAnswer | null {
  const addresses = hosts.get(name.endsWith(".") ? name.slice(0, -1) : name);
  if (addresses === undefined) return null;
  const family = (six: boolean) => ({
    addresses: addresses.filter((address) => address.includes(":") === six),
    ttlMs: HOSTS_TTL_MS,
  });
  return { four: family(false), six: family(true), failure: null };
}

function isAbsent({ four, six, failure }: NameAnswer): boolean {
  return failure === null && four?.addresses.length === 0 && six?.addresses.length === 0;
}
