/** Variables of the environment that make programs use a proxy. */

/**
 * What curl, wget, git, apt and Go read in lower case, and others (npm, pip, aria2, Go as well) in upper case. `all_proxy` is for
 * schemes without a variable of their own: what the proxy refuses is seen, what goes past it is not.
 */
const LEADING = ["http_proxy", "https_proxy", "all_proxy"] as const;

/** This machine, in the words that all programs understand that read the variable at all. */
const NOT_THROUGH = "localhost,127.0.0.1,::1";

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * @param url of the proxy
 * @param env variables that there are; `no_proxy` stays as it is, in either case, and an empty one counts
 * @returns what is added to them
 */
export function proxyVariables(url: string, env: Variables): Variables {
  const noProxy = env["no_proxy"] ?? env["NO_PROXY"] ?? NOT_THROUGH;
  return {
    ...Object.fromEntries(LEADING.flatMap((name) => [[name, url], [name.toUpperCase(), url]])),
    no_proxy: env["no_proxy"] ?? noProxy,
    NO_PROXY: env["NO_PROXY"] ?? noProxy,
    // Node reads the others only with this one (24 and later).
    NODE_USE_ENV_PROXY: env["NODE_USE_ENV_PROXY"] ?? "1",
  };
}
