/* What a disk would know of a directory: every change to the files below $POWERLESS_ROOT is written down in
 * $POWERLESS_LOG, in order, with every fsync, so that powerless.py can tell what a power loss leaves.
 *
 * A record: kind u8, inode u64, a u64, b u64, length u32, bytes (little endian, packed).
 *   O open        a: 1 if it was created; bytes: path      W write       a: offset; bytes: data
 *   T truncate    a: size                                  S sync file   a: length of the log when it began
 *   D sync names  a: length of the log when it began       R rename      bytes: old NUL new
 *   U unlink      bytes: path
 * Files mapped into memory (SQLite's -shm) are left out: nothing in them is to survive.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 65536

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static uint64_t inode_of[MOST]; /* 0: not ours */
static char names[MOST];        /* 1: a directory */
static const char *root;
static size_t root_length;
static int journal = -1;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWERLESS_LOG");
    root = getenv("POWERLESS_ROOT");
    if (!path || !root) return;
    root_length = strlen(root);
    journal = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int ours(const char *path) {
    size_t length = path ? strlen(path) : 0;
    if (journal < 0 || length < root_length || strncmp(path, root, root_length)) return 0;
    if (path[root_length] && path[root_length] != '/') return 0;
    return length < 4 || strcmp(path + length - 4, "-shm");
}

static int tracked(int fd) { return fd >= 0 && fd < MOST && inode_of[fd]; }

static void note(char kind, uint64_t inode, uint64_t a, const void *bytes, uint32_t length) {
    struct __attribute__((packed)) { char kind; uint64_t inode, a, b; uint32_t length; } head = {kind, inode, a, 0, length};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)bytes, length}};
    if (REAL(writev)(journal, parts, 2) != (ssize_t)(sizeof head + length)) abort();
}

static uint64_t noted(void) { return (uint64_t)lseek(journal, 0, SEEK_END); }

static int opened(int fd, const char *path, int existed) {
    struct stat seen;
    if (fd >= 0 && fd < MOST && ours(path) && !fstat(fd, &seen)) {
        pthread_mutex_lock(&gate);
        inode_of[fd] = seen.st_ino;
        names[fd] = S_ISDIR(seen.st_mode) ? 1 : 0;
        if (!names[fd]) note('O', seen.st_ino, !existed, path, strlen(path));
        pthread_mutex_unlock(&gate);
    }
    return fd;
}

#define OPEN(name, ...)                                                                                               \
    int mode = 0, existed = 1, fd;                                                                                    \
    if (flags & O_CREAT) {                                                                                            \
        va_list rest;                                                                                                 \
        va_start(rest, flags);                                                                                        \
        mode = va_arg(rest, int);                                                                                     \
        va_end(rest);                                                                                                 \
        existed = !ours(path) || !access(path, F_OK);                                                                 \
    }                                                                                                                 \
    fd = REAL(name)(__VA_ARGS__, flags, mode);                                                                        \
    if (fd >= 0 && (flags & O_TRUNC) && existed && ours(path)) {                                                      \
        opened(fd, path, existed);                                                                                    \
        pthread_mutex_lock(&gate);                                                                                    \
        note('T', inode_of[fd], 0, "", 0);                                                                            \
        pthread_mutex_unlock(&gate);                                                                                  \
        return fd;                                                                                                    \
    }                                                                                                                 \
    return opened(fd, path, existed)

int open(const char *path, int flags, ...) { OPEN(open, path); }
int open64(const char *path, int flags, ...) { OPEN(open64, path); }
int openat(int at, const char *path, int flags, ...) { OPEN(openat, at, path); }
int openat64(int at, const char *path, int flags, ...) { OPEN(openat64, at, path); }

int close(int fd) {
    if (tracked(fd)) inode_of[fd] = 0;
    return REAL(close)(fd);
}

#define WRITE(call, where)                                                                                            \
    if (!tracked(fd)) return call;                                                                                    \
    pthread_mutex_lock(&gate);                                                                                        \
    ssize_t done = call;                                                                                              \
    if (done > 0) note('W', inode_of[fd], (uint64_t)(where), bytes, (uint32_t)done);                                  \
    pthread_mutex_unlock(&gate);                                                                                      \
    return done

ssize_t write(int fd, const void *bytes, size_t length) {
    WRITE(REAL(write)(fd, bytes, length), lseek(fd, 0, SEEK_CUR) - done);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    WRITE(REAL(pwrite)(fd, bytes, length, at), at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
    WRITE(REAL(pwrite64)(fd, bytes, length, at), at);
}

/* A way of writing that is not followed would make the images wrong: better to stop. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
    if (tracked(fd)) abort();
    return REAL(writev)(fd, parts, count);
}
int fallocate(int fd, int mode, off_t at, off_t length) {
    if (tracked(fd)) abort();
    return REAL(fallocate)(fd, mode, at, length);
}

#define TRUNCATE(name)                                                                                                \
    if (!tracked(fd)) return REAL(name)(fd, length);                                                                  \
    pthread_mutex_lock(&gate);                                                                                        \
    int done = REAL(name)(fd, length);                                                                                \
    if (!done) note('T', inode_of[fd], (uint64_t)length, "", 0);                                                      \
    pthread_mutex_unlock(&gate);                                                                                      \
    return done

int ftruncate(int fd, off_t length) { TRUNCATE(ftruncate); }
int ftruncate64(int fd, off64_t length) { TRUNCATE(ftruncate64); }

#define SYNC(name)                                                                                                    \
    if (!tracked(fd)) return REAL(name)(fd);                                                                          \
    pthread_mutex_lock(&gate);                                                                                        \
    uint64_t inode = inode_of[fd], began = noted();                                                                   \
    char kind = names[fd] ? 'D' : 'S';                                                                                \
    pthread_mutex_unlock(&gate);                                                                                      \
    int done = REAL(name)(fd);                                                                                        \
    if (!done) {                                                                                                      \
        pthread_mutex_lock(&gate);                                                                                    \
        note(kind, inode, began, "", 0);                                                                              \
        pthread_mutex_unlock(&gate);                                                                                  \
    }                                                                                                                 \
    return done

int fsync(int fd) { SYNC(fsync); }
int fdatasync(int fd) { SYNC(fdatasync); }

static int renamed(int done, const char *from, const char *to) {
    size_t first = strlen(from) + 1, second = strlen(to);
    char *both = malloc(first + second);
    memcpy(both, from, first);
    memcpy(both + first, to, second);
    note('R', 0, 0, both, (uint32_t)(first + second));
    free(both);
    return done;
}

int rename(const char *from, const char *to) {
    if (!ours(from)) return REAL(rename)(from, to);
    pthread_mutex_lock(&gate);
    int done = REAL(rename)(from, to);
    if (!done) renamed(done, from, to);
    pthread_mutex_unlock(&gate);
    return done;
}
int renameat(int a, const char *from, int b, const char *to) {
    if (!ours(from)) return REAL(renameat)(a, from, b, to);
    pthread_mutex_lock(&gate);
    int done = REAL(renameat)(a, from, b, to);
    if (!done) renamed(done, from, to);
    pthread_mutex_unlock(&gate);
    return done;
}

#define UNLINK(call)                                                                                                  \
    if (!ours(path)) return call;                                                                                     \
    pthread_mutex_lock(&gate);                                                                                        \
    int done = call;                                                                                                  \
    if (!done) note('U', 0, 0, path, (uint32_t)strlen(path));                                                         \
    pthread_mutex_unlock(&gate);                                                                                      \
    return done

int unlink(const char *path) { UNLINK(REAL(unlink)(path)); }
int unlinkat(int at, const char *path, int flags) { UNLINK(REAL(unlinkat)(at, path, flags)); }
