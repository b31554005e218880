/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stands between QEMU's command line and monitor and QEMU where there is no VFIO: a vfio-pci, by -device or device_add, opens
 * the node of its IOMMU group, as QEMU would, and is then an edu, which every host has; a block node of driver nvme, by -blockdev or
 * blockdev-add, likewise, and is then a null-co.  A usb-host with a node opens that, and is then a keyboard.  What cannot be opened
 * is refused with the errno in QEMU's text ("no-13").  What lasts of a vfio-pci is in vfio-stand-in-held.h.
 *
 * In other programs that preload it, with VFIO_STAND_IN_LIMITS set to a directory, a limit that is set for another process is
 * written to the file PID there: it takes a right that containers do not have.  With a file "refuse" there it is
 * refused, as the kernel does without that right.  A limit of their own that they may not raise counts as raised.
 *
 * Built twice: as a library that is preloaded, and as the program that preloads it and executes QEMU.  Beside it:
 *   stand-in.groups   lines "0000:02:00.0 15", "/sys/bus/mdev/devices/UUID 16"
 *   stand-in.refuse   if it is there, every device_add of a host device, and every such block node, is refused
 *   stand-in.busy     one digit: the next block node that is to be removed is of that number, and in use
 *   stand-in.refuse-disk   every device_add of a virtio-blk-pci
 *   stand-in.die-disk      QEMU is killed when it is asked for one of these, stand-in.hang-disk: it does not come back
 *   stand-in.die      QEMU is killed when it is asked for a device
 *   stand-in.hang     or does not come back to its monitor while that file is there
 *   stand-in.reject   the guest refuses to let go of any device: device_del is accepted, and an event says that
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vfio-stand-in-held.h"

#define QEMU	 "/usr/bin/qemu-system-x86_64"
#define VARIABLE "VFIO_STAND_IN"

static int group_of(const char *host, char *ret)
{
	const char *dir = getenv(VARIABLE);
	char path[PATH_MAX], address[128];
	FILE *f;
	int found = -1;

	snprintf(path, sizeof(path), "%s/stand-in.groups", dir != NULL ? dir : "");
	f = fopen(path, "re");
	while (f != NULL && found < 0 && fscanf(f, "%127s %15s", address, ret) == 2)
		if (strncmp(address, host, strlen(address)) == 0)
			found = 0;
	if (f != NULL)
		fclose(f);
	return found;
}

static int is_there(const char *what)
{
	const char *dir = getenv(VARIABLE);
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/stand-in.%s", dir != NULL ? dir : "", what);
	return stat(path, &st) == 0;
}

static int open_one(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

/* What QEMU's own vfio_get_group() and vfio_get_container() do first, and qemu_vfio_init_pci() the other way round. */
static int open_both(const char *host, char path[64])
{
	char group[16] = "";
	int e;

	if (is_there("refuse"))
		return EBUSY;
	if (group_of(host, group) < 0)
		return ENODEV;
	snprintf(path, 64, "/dev/vfio/%s", group);
	e = open_one(path);
	return e != 0 ? e : open_one("/dev/vfio/vfio");
}

static int open_device(const char *text, size_t len, const char *host)
{
	char path[64];
	int e = open_both(host, path);

#ifdef STAND_IN_LIBRARY
	if (e == 0)
		held_take(text, len, host, path);
#else
	(void)text, (void)len;
#endif
	return e;
}

static int open_disk(const char *text, size_t len, const char *host)
{
	char path[64];

	(void)text, (void)len;
	return open_both(host, path);
}

static int open_node(const char *text, size_t len, const char *node)
{
	char path[PATH_MAX];

	(void)text, (void)len;
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(node, "\""), node);
	return open_one(path);
}

/* The value of a key, text in quotes; NULL = it has none. */
static char *value_of(char *text, size_t len, const char *key)
{
	char quoted[64];
	char *at;
	int n = snprintf(quoted, sizeof(quoted), "\"%s\":\"", key);

	at = memmem(text, len, quoted, (size_t)n);
	return at != NULL ? at + n : NULL;
}

/* Key, value and the comma behind it become spaces. */
static void blank(char *text, size_t len, const char *key)
{
	char *value = value_of(text, len, key), *from, *end;

	if (value == NULL)
		return;
	from = value - strlen(key) - 4;
	end = memchr(value, '"', len - (size_t)(value - text));
	if (end == NULL)
		return;
	end++;
	if (end < text + len && *end == ',')
		end++;
	memset(from, ' ', (size_t)(end - from));
}

/* A number. */
static void blank_number(char *text, size_t len, const char *key)
{
	char quoted[64];
	int n = snprintf(quoted, sizeof(quoted), "\"%s\":", key);
	char *at = memmem(text, len, quoted, (size_t)n), *end = at != NULL ? at + n : NULL;

	while (end != NULL && end < text + len && *end >= '0' && *end <= '9')
		end++;
	if (end != NULL && end < text + len && *end == ',')
		memset(at, ' ', (size_t)(end + 1 - at));
}

/* What QEMU has here, and for which of its keys the device of the host is. */
static const struct kind {
	const char *from, *to; /* drivers */
	const char *keys[2];
	int (*open)(const char *text, size_t len, const char *device); /* errno */
} kinds[] = {
	{ "vfio-pci", "edu", { "host", "sysfsdev" }, open_device },
	{ "nvme", "null-co", { "device", "device" }, open_disk },
	{ "usb-host", "usb-kbd", { "hostdevice", "hostdevice" }, open_node },
};

static void rewrite_kind(const struct kind *k, char *text, size_t len)
{
	static const char *const gone[] = { "host", "sysfsdev", "display", "device", "hostdevice" };
	char from[64], to[64];
	size_t from_len = (size_t)snprintf(from, sizeof(from), "\"driver\":\"%s\",", k->from);
	char *at = memmem(text, len, from, from_len), *host = NULL;
	int e;

	if (at == NULL)
		return;
	for (size_t i = 0; host == NULL && i < 2; i++)
		host = value_of(text, len, k->keys[i]);
	if (host == NULL)
		return;
	if (is_there("die"))
		raise(SIGKILL);
	while (is_there("hang"))
		usleep(20000);
	e = k->open(text, len, host);
	for (size_t i = 0; i < sizeof(gone) / sizeof(gone[0]); i++)
		blank(text, len, gone[i]);
	blank_number(text, len, "namespace");
	if (e != 0)
		snprintf(to, sizeof(to), "\"driver\":\"no-%d\",", e);
	else
		snprintf(to, sizeof(to), "\"driver\":\"%s\",", k->to);
	memset(at, ' ', from_len);
	/* what is longer has the place of what is gone, which was behind it */
	if (strspn(at, " ") >= strlen(to))
		memcpy(at, to, strlen(to));
}

static void rewrite_disk(char *text, size_t len)
{
	static const char from[] = "\"driver\":\"virtio-blk-pci\"", to[] = "\"driver\":\"no-16\"";
	char *at = memmem(text, len, from, sizeof(from) - 1);

	if (at != NULL && is_there("die-disk"))
		raise(SIGKILL);
	while (at != NULL && is_there("hang-disk"))
		usleep(20000);
	if (at == NULL || !is_there("refuse-disk"))
		return;
	memset(at, ' ', sizeof(from) - 1);
	memcpy(at, to, sizeof(to) - 1);
}

/* In place, since nothing may become longer: what is left over becomes spaces. */
static void rewrite(char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		rewrite_kind(&kinds[i], text, len);
	rewrite_disk(text, len);
}

#ifndef STAND_IN_LIBRARY
int main(int argc, char **argv)
{
	char self[PATH_MAX] = "", library[PATH_MAX + 8], *slash;

	if (argc < 1 || readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 127;
	snprintf(library, sizeof(library), "%s.so", self);
	slash = strrchr(self, '/');
	*slash = 0;
	setenv("LD_PRELOAD", library, 1);
	setenv(VARIABLE, self, 1);
	for (int i = 1; i + 1 < argc; i++)
		if (strcmp(argv[i], "-device") == 0 || strcmp(argv[i], "-blockdev") == 0)
			rewrite(argv[i + 1], strlen(argv[i + 1]));
	execv(QEMU, argv);
	fprintf(stderr, "%s: %s\n", QEMU, strerror(errno));
	return 127;
}
#else
/* The command becomes one that changes nothing; the event comes before its answer. */
static void reject(int fd, char *text, size_t len)
{
	static const char from[] = "\"arguments\":{\"id\":\"", command[] = "\"device_del\"";
	char *at = memmem(text, len, from, sizeof(from) - 1), *name = memmem(text, len, command, sizeof(command) - 1), *end;
	char event[512];
	int n;

	if (at == NULL || name == NULL || !is_there("reject"))
		return;
	at += sizeof(from) - 1;
	end = memchr(at, '"', len - (size_t)(at - text));
	if (end == NULL)
		return;
	n = snprintf(event, sizeof(event),
		     "{\"timestamp\":{\"seconds\":1,\"microseconds\":0},\"event\":\"DEVICE_UNPLUG_GUEST_ERROR\","
		     "\"data\":{\"device\":\"%.*s\",\"path\":\"/machine/peripheral/%.*s\"}}\r\n",
		     (int)(end - at), at, (int)(end - at), at);
	memcpy(name, "\"query-name\"", sizeof(command) - 1);
	at -= strlen("\"id\":\"");
	memset(at, ' ', (size_t)(end + 1 - at));
	send(fd, event, (size_t)n, MSG_NOSIGNAL);
}

/* As a device that is not given up yet: the next question is answered as it is. */
static void busy(char *text, size_t len)
{
	static const char command[] = "\"blockdev-del\"", node[] = "libvirt-", format[] = "-format\"";
	int fd;
	char path[PATH_MAX], *at = memmem(text, len, command, sizeof(command) - 1);

	at = at != NULL && is_there("busy") ? memmem(at, len - (size_t)(at - text), node, sizeof(node) - 1) : NULL;
	if (at == NULL || memcmp(at + sizeof(node), format, sizeof(format) - 1) != 0)
		return;
	snprintf(path, sizeof(path), "%s/stand-in.busy", getenv(VARIABLE));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (read(fd, &at[sizeof(node) - 1], 1) == 1)
		unlink(path);
	close(fd);
}

int prlimit(pid_t pid, enum __rlimit_resource what, const struct rlimit *new, struct rlimit *old)
{
	static int (*real)(pid_t, enum __rlimit_resource, const struct rlimit *, struct rlimit *);
	const char *dir = getenv("VFIO_STAND_IN_LIMITS");
	char path[PATH_MAX];
	FILE *f;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "prlimit");
	if (dir == NULL || pid == 0 || new == NULL)
		return real(pid, what, new, old);
	snprintf(path, sizeof(path), "%s/refuse", dir);
	if (access(path, F_OK) == 0) {
		errno = EPERM;
		return -1;
	}
	snprintf(path, sizeof(path), "%s/%d", dir, (int)pid);
	/* a call of ours that is made to fail is none of the program's */
	f = fopen(path, "we");
	if (f == NULL)
		f = fopen(path, "we");
	if (f == NULL)
		return -1;
	fprintf(f, "%llu\n", (unsigned long long)new->rlim_cur);
	return fclose(f);
}

/* Where locking more memory is not allowed at all, QEMU need not do it either. */
int setrlimit(enum __rlimit_resource what, const struct rlimit *new)
{
	static int (*real)(enum __rlimit_resource, const struct rlimit *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "setrlimit");
	if (real(what, new) == 0)
		return 0;
	return what == RLIMIT_MEMLOCK && errno == EPERM && getenv("VFIO_STAND_IN_LIMITS") != NULL ? 0 : -1;
}

/* QEMU reads its monitor byte by byte: what is there is looked at whole, and handed out rewritten as it is read. */
ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	static ssize_t (*real)(int, struct msghdr *, int);
	static struct {
		char was[8192], text[8192];
		size_t len, at;
	} ahead[64];
	int saved = errno;
	ssize_t n;

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "recvmsg");
	if (fd >= 0 && fd < 64 && ahead[fd].at == ahead[fd].len) {
		n = recv(fd, ahead[fd].text, sizeof(ahead[fd].text), MSG_PEEK | MSG_DONTWAIT);
		ahead[fd].len = n > 0 ? (size_t)n : 0;
		ahead[fd].at = 0;
		memcpy(ahead[fd].was, ahead[fd].text, ahead[fd].len);
		if (memmem(ahead[fd].text, ahead[fd].len, "device_add", 10) != NULL ||
		    memmem(ahead[fd].text, ahead[fd].len, "blockdev-add", 12) != NULL)
			rewrite(ahead[fd].text, ahead[fd].len);
		reject(fd, ahead[fd].text, ahead[fd].len);
		busy(ahead[fd].text, ahead[fd].len);
		held_asked(fd, ahead[fd].text, ahead[fd].len);
	}
	errno = saved;
	n = real(fd, msg, flags);
	if (n > 0 && fd < 64 && msg->msg_iovlen > 0 && (size_t)n <= msg->msg_iov[0].iov_len &&
	    (size_t)n <= ahead[fd].len - ahead[fd].at) {
		/* A connection that ended early leaves what is of no use to the next one. */
		if (memcmp(msg->msg_iov[0].iov_base, ahead[fd].was + ahead[fd].at, (size_t)n) != 0)
			ahead[fd].at = ahead[fd].len = 0;
		else
			memcpy(msg->msg_iov[0].iov_base, ahead[fd].text + ahead[fd].at, (size_t)n);
		ahead[fd].at += ahead[fd].len > 0 ? (size_t)n : 0;
	}
	return n;
}
#endif
