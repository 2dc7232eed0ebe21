/** The types of `import … from "sluice/test"`, in words for users. */
export const TEST_DECLARATIONS = `
declare module "sluice/test" {
  /** A status, or more of an answer. */
  export type StubInit = number | {
    readonly status?: number;
    readonly headers?: Readonly<Record<string, string | readonly string[]>>;
    readonly body?: string;
  };

  export interface DryOptions {
    /** Names, or upstreams as the file has them. */
    readonly upstreams?: readonly string[] | Readonly<Record<string, unknown>>;
    /** As the file has them. */
    readonly routes?: readonly unknown[];
    /** What \`ask\` gets, by upstream. */
    readonly stubs?: Readonly<Record<string, StubInit>>;
  }

  export interface DryRequestInit {
    readonly headers?: Readonly<Record<string, string | readonly string[]>>;
    readonly body?: string;
    /** Address of the client; default 127.0.0.1. */
    readonly client?: string;
    /** What the endpoint answers, if it is asked; default 200 with "ok". */
    readonly answer?: StubInit;
  }

  export interface DryAnswer {
    readonly status: number;
    readonly headers: Headers;
    readonly body: string;
    /** As in Proxy-Status; "" when nothing failed. */
    readonly reason: string;
    readonly detail: string;
    /** What was decided first, in words: "to app", "reject 403", "nothing". */
    readonly decision: string;
    readonly decisions: readonly string[];
    /** Where it went; null when it was answered without. */
    readonly upstream: string | null;
    /** As the endpoint got it. */
    readonly sent: {
      readonly upstream: string;
      readonly endpoint: string;
      readonly method: string;
      readonly uri: string;
      readonly headers: Headers;
      readonly body: string;
    } | null;
    readonly asked: readonly { readonly upstream: string; readonly method: string; readonly uri: string }[];
    /** What went wrong in scripts. */
    readonly faults: readonly string[];
    /** What scripts logged, or wrote to the console. */
    readonly said: readonly string[];
  }

  export interface DrySluice {
    request(method: string, uri: string, init?: DryRequestInit): Promise<DryAnswer>;
  }

  /**
   * A Sluice of which nothing leaves, with a script or a configuration (.yaml); paths are relative to the test's file.
   *
   *     export async function test_strangers_are_refused() {
   *       const sluice = await dry("./route.ts", { upstreams: ["app"] });
   *       const { status, upstream } = await sluice.request("GET", "/admin");
   *       assert.deepEqual([status, upstream], [401, null]);
   *     }
   */
  export function dry(file: string, options?: DryOptions): Promise<DrySluice>;
}
`;
