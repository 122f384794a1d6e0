#pragma once
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/vfs.h>

// Hidden behind _GNU_SOURCE, which no module may define.
int accept4(int socket, struct sockaddr *address, socklen_t *length, int flags);
int ppoll(struct pollfd *waits, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
int pthread_setname_np(pthread_t thread, const char *name);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

// Of <malloc.h>, which would take struct stat out of Glibc's module.
int mallopt(int parameter, int value);
#define OB_M_TRIM_THRESHOLD (-1)
#define OB_M_TOP_PAD (-2)
#define OB_M_MMAP_THRESHOLD (-3)

// Variadic in C.
static inline int ob_set_dumpable(int dumpable) { return prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0); }
static inline int ob_is_dumpable(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0); }

struct ob_ucred { int pid; unsigned int uid; unsigned int gid; };
#define OB_SO_PEERGROUPS 59
