/* A file system that answers late and a clock that jumps, for one program and all it starts.
   SLOW_MS: every call that changes names, forces data to the disk or locks waits so long first.
   CLOCK_FILE: holds the seconds by which the time of day is wrong; read again at every look at the clock.
   cc -shared -fPIC -o hostile.so hostile.c -ldl; then LD_PRELOAD=hostile.so SLOW_MS=40 program */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void late(void) {
    const char *text = getenv("SLOW_MS");
    long ms = text ? atol(text) : 0;
    struct timespec pause = {ms / 1000, (ms % 1000) * 1000000L};
    nanosleep(&pause, NULL);
}

int fsync(int descriptor) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    late();
    return real(descriptor);
}

int rename(const char *from, const char *to) {
    static int (*real)(const char *, const char *);
    if (!real) real = dlsym(RTLD_NEXT, "rename");
    late();
    return real(from, to);
}

int mkdir(const char *path, mode_t mode) {
    static int (*real)(const char *, mode_t);
    if (!real) real = dlsym(RTLD_NEXT, "mkdir");
    late();
    return real(path, mode);
}

int unlink(const char *path) {
    static int (*real)(const char *);
    if (!real) real = dlsym(RTLD_NEXT, "unlink");
    late();
    return real(path);
}

int flock(int descriptor, int operation) {
    static int (*real)(int, int);
    if (!real) real = dlsym(RTLD_NEXT, "flock");
    late();
    return real(descriptor, operation);
}

int clock_gettime(clockid_t clock, struct timespec *found) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, found);
    const char *path = getenv("CLOCK_FILE");
    if (code == 0 && clock == CLOCK_REALTIME && path) {
        char text[32] = {0};
        int descriptor = open(path, O_RDONLY | O_CLOEXEC);
        if (descriptor >= 0) {
            if (read(descriptor, text, sizeof text - 1) > 0) found->tv_sec += atol(text);
            close(descriptor);
        }
    }
    return code;
}
