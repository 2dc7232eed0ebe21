/** Options about who may use the Unix sockets that we listen on. */

import type { OptionTable } from "./option.ts";
import { fault, mustBe, success, text, type ValueType } from "../values/value_type.ts";

/** Permission bits in octal digits, as chmod(1) takes them. */
function permissions(): ValueType<number> {
  const accepts = "permissions in octal digits, like 0660";
  return {
    name: "permissions",
    accepts,
    many: false,
    parse(raw) {
      if (typeof raw !== "string" || !/^0?[0-7]{3}$/.test(raw)) return mustBe(accepts, raw);
      const mode = Number.parseInt(raw, 8);
      // Without these two we could not find out whether a process answers there.
      if ((mode & 0o600) !== 0o600) {
        return fault(`must let the owner read and write, got ${raw}`, `06${raw.slice(-2)}`);
      }
      return success(mode);
    },
    print: (mode) => `0${mode.toString(8)}`,
  };
}

function account(kind: "user" | "group"): ValueType<string> {
  return text(
    `${kind} name`,
    `the name or number of a ${kind}`,
    /^(?:\d{1,10}|[A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?)$/,
  );
}

const NUMBERS =
  "A name is looked up in /etc/GROUP; of one that is known elsewhere (LDAP, say) give the number.";

export const UNIX_OPTIONS = {
  "unix.mode": {
    group: "Process",
    scope: "process",
    type: permissions(),
    default: null,
    help: "permissions of the Unix sockets of listen and admin",
    doc:
      "Whoever may write to a Unix socket can connect to it. It has these permissions, its owner and its group " +
      "from the moment it is there. Unless it is given, the umask decides.",
    example: "0660",
  },
  "unix.owner": {
    group: "Process",
    scope: "process",
    type: account("user"),
    default: null,
    help: "user that these Unix sockets belong to",
    doc: `To give a socket away takes root. ${NUMBERS.replace("GROUP", "passwd")}`,
    example: "www-data",
  },
  "unix.group": {
    group: "Process",
    scope: "process",
    type: account("group"),
    default: null,
    help: "group that these Unix sockets belong to",
    doc: `One that our user is in, unless we are root. ${NUMBERS.replace("GROUP", "group")}`,
    example: "www-data",
  },
  "control_mode": {
    group: "Process",
    scope: "process",
    type: permissions(),
    default: "0600",
    help: "permissions of the control socket",
    doc:
      "Whoever can open the control socket can stop Sluice. `0660` with `control_group` lets a group do it; the folder " +
      "of `control` must let it in as well, which the default one does not.",
    example: "0660",
  },
  "control_group": {
    group: "Process",
    scope: "process",
    type: account("group"),
    default: null,
    help: "group that the control socket belongs to",
    doc: `See \`control_mode\`. ${NUMBERS.replace("GROUP", "group")}`,
    example: "ops",
  },
} as const satisfies OptionTable;
