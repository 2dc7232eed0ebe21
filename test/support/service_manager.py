"""
A service manager as systemd is one: binds sockets, starts a program with them (sd_listen_fds(3)), and prints what it is told
(sd_notify(3)), one line of JSON for each datagram.

    service_manager.py SPEC... -- PROGRAM ARGUMENT...

SPEC is notify:PATH, watchdog:MICROSECONDS, tcp:NAME:HOST, or unix:NAME:PATH. The sockets block, as systemd's do. Prints
{"sockets": [...]} first. SIGTERM and SIGHUP are passed on; the end is that of the program.
"""
import json, os, signal, socket, sys, threading

specs, command = sys.argv[1:sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1:]
env = dict(os.environ)
held, names, addresses, notify = [], [], [], None
for spec in specs:
    kind, rest = spec.split(":", 1)
    if kind == "notify":
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(rest)
        env["NOTIFY_SOCKET"] = rest
        continue
    if kind == "watchdog":
        env["WATCHDOG_USEC"] = rest
        continue
    name, where = rest.split(":", 1)
    if kind == "unix":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(where)
        addresses.append(where)
    else:
        listener = socket.socket(socket.AF_INET6 if ":" in where else socket.AF_INET)
        listener.bind((where, 0))
        addresses.append(listener.getsockname()[1])
    listener.listen(128)
    held.append(listener)
    names.append(name)

say = lambda what: print(json.dumps(what), flush=True)
say({"sockets": addresses})
# The program takes these places; ours move out of the way first.
moved = [os.dup(os.dup(os.dup(listener.fileno()))) + 0 for listener in held]
pid = os.fork()
if pid == 0:
    high = [os.dup2(fd, 100 + at) for at, fd in enumerate(moved)]
    for at, fd in enumerate(high):
        os.dup2(fd, 3 + at, inheritable=True)
    os.closerange(3 + len(high), 256)
    if held:
        env.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(held)), LISTEN_FDNAMES=":".join(names))
    os.execvpe(command[0], [part.replace("{0}", str(addresses[0]) if addresses else "") for part in command], env)
for name in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(name, lambda number, frame: os.kill(pid, number))
if notify:
    def listen():
        while True:
            say({"notified": notify.recv(4096).decode()})
    threading.Thread(target=listen, daemon=True).start()
say({"pid": pid})
while True:
    try:
        _, status = os.waitpid(pid, 0)
        break
    except InterruptedError:
        pass
say({"exit": os.waitstatus_to_exitcode(status)})
