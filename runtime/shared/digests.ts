/** Digests over node:crypto, which all three platforms have. */
import type { Digests } from "../contract/contract.ts";
import { cryptoModule } from "./lazy_module.ts";

export const digests: Digests = {
  digest(name, bytes) {
    return cryptoModule().createHash(name).update(bytes).digest();
  },
  hmacSha256(key, bytes) {
    return cryptoModule().createHmac("sha256", key).update(bytes).digest();
  },
};
