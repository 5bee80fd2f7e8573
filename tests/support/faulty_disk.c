/* A disk that fails or is slow on demand, for one process: LD_PRELOAD this, and write the fault into $FAULTY_DISK.
 *
 * The file holds "OP PART MODE NUMBER": OP is sync or write, PART is a part of the file name meant, MODE is
 *   fail   the NUMBERth operation from now fails with EIO, once,
 *   slow   every one takes NUMBER milliseconds longer.
 * No file, no fault. "fail" counts from the moment the file appears; when it has failed the file is removed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int left = -1;

static int fault(int fd, const char *op) {
    const char *control = getenv("FAULTY_DISK");
    char text[256], part[128], wanted[16], mode[16], link[64], name[4096];
    int number;
    if (!control) return 0;
    int file = syscall(SYS_openat, AT_FDCWD, control, O_RDONLY);
    if (file < 0) { left = -1; return 0; }
    ssize_t size = syscall(SYS_read, file, text, sizeof text - 1);
    syscall(SYS_close, file);
    if (size <= 0) return 0;
    text[size] = 0;
    if (sscanf(text, "%15s %127s %15s %d", wanted, part, mode, &number) != 4 || strcmp(wanted, op)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length <= 0) return 0;
    name[length] = 0;
    if (!strstr(name, part)) return 0;
    if (!strcmp(mode, "slow")) {
        struct timespec pause = {number / 1000, (number % 1000) * 1000000L};
        nanosleep(&pause, NULL);
        return 0;
    }
    if (left < 0) left = number;
    if (--left > 0) return 0;
    left = -1;
    unlink(control);
    errno = EIO;
    return 1;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { return fault(fd, "sync") ? -1 : NEXT(fsync)(fd); }
int fdatasync(int fd) { return fault(fd, "sync") ? -1 : NEXT(fdatasync)(fd); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    return fault(fd, "write") ? -1 : NEXT(pwrite)(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    return fault(fd, "write") ? -1 : NEXT(pwrite64)(fd, data, size, at);
}
ssize_t write(int fd, const void *data, size_t size) {
    return fault(fd, "write") ? -1 : NEXT(write)(fd, data, size);
}
