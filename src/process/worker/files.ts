/** Files that options name: what goes wrong with them is told with the option's name. */

import { SystemError } from "../../../runtime/contract/contract.ts";

/** Does `work`; a SystemError gets `what` in front of its message. */
export async function named<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    throw new SystemError(error.code, `${what}: ${error.message}`);
  }
}
