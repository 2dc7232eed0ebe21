/* The floor under a proxy: a relay of raw bytes over epoll(7), level triggered; see raw_relay.ts.
   cc -O2 -o raw_relay test/bench/raw_relay.c; ./raw_relay PORT ORIGIN, which is on 127.0.0.1 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
static int peer[65536];
static char buffer[131072];
int main(int argc, char **argv) {
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(atoi(argv[1]))};
  struct sockaddr_in origin = own;
  origin.sin_port = htons(atoi(strrchr(argv[2], ':') + 1));
  int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), loop = epoll_create1(0);
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (bind(listener, (void *)&own, sizeof own) || listen(listener, 4096)) return 1;
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[512];
  epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
  for (;;) {
    int count = epoll_wait(loop, events, 512, -1);
    for (int i = 0; i < count; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int client = accept4(listener, 0, 0, SOCK_NONBLOCK), endpoint = socket(AF_INET, SOCK_STREAM, 0);
        if (client < 0) continue;
        connect(endpoint, (void *)&origin, sizeof origin);
        setsockopt(endpoint, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        peer[client] = endpoint, peer[endpoint] = client;
        event.events = EPOLLIN;
        event.data.fd = client, epoll_ctl(loop, EPOLL_CTL_ADD, client, &event);
        event.data.fd = endpoint, epoll_ctl(loop, EPOLL_CTL_ADD, endpoint, &event);
      } else {
        ssize_t length = recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        if (length > 0) send(peer[fd], buffer, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        else if (length == 0) shutdown(peer[fd], SHUT_RDWR), close(fd);
      }
    }
  }
}
