/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Core dumps of guests that panicked. */
#include "watch.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/sock.h>

#define DUMP_DIR  "dump"
#define NAME_SIZE 40

struct oldest {
	char name[NAME_SIZE];
	unsigned n;
};

static int look_at(int dirfd, const char *name, void *arg)
{
	struct oldest *o = arg;
	size_t len = strlen(name);

	(void)dirfd;
	if (len < 6 || len >= NAME_SIZE || strcmp(name + len - 5, ".core") != 0)
		return 0;
	/* Their names are times: the order of names is that of age. */
	if (o->n++ == 0 || strcmp(name, o->name) < 0)
		memcpy(o->name, name, len + 1);
	return 0;
}

static void make_room(int dirfd)
{
	struct vm_err ignored = VM_ERR_INIT;

	for (;;) {
		struct oldest o = { .n = 0 };

		if (vm_dir_each(dirfd, look_at, &o, &ignored) < 0 || o.n < VM_WATCH_DUMPS ||
		    unlinkat(dirfd, o.name, 0) < 0)
			return;
	}
}

static int open_dump(const struct vm_state *s, const char *name, struct vm_err *err)
{
	VM_AUTO_FD int lib = -1, dir = -1;
	char file[NAME_SIZE];
	time_t now = time(NULL);
	struct tm tm;
	int fd;

	if (vm_dir_open(s->lib, name, &lib, err) < 0 ||
	    vm_dir_make(lib, DUMP_DIR, 0700, &dir, err) < 0)
		return -1;
	make_room(dir);
	gmtime_r(&now, &tm);
	strftime(file, sizeof(file), "%Y%m%dT%H%M%SZ.core", &tm);
	fd = openat(dir, file, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd < 0 ? vm_err_sys(err, "create %s/%s", DUMP_DIR, file) : fd;
}

/* Source: getfd of qapi/misc.json, dump-guest-memory of qapi/dump.json, QEMU 7.2. */
int vm_watch_dump(const struct vm_state *s, const char *name, int qmp, struct vm_err *err)
{
	static const char give[] = "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"vm-dump\"}}\n";
	static const char begin[] = "{\"execute\":\"dump-guest-memory\",\"arguments\":{\"paging\":false,"
				    "\"protocol\":\"fd:vm-dump\",\"detach\":true}}\n";
	VM_AUTO_FD int fd = open_dump(s, name, err);

	if (fd < 0)
		return -1;
	/* getfd takes the descriptor that comes with its bytes. */
	if (vm_sock_send_fd(qmp, give, sizeof(give) - 1, fd, MSG_DONTWAIT) < 0 ||
	    send(qmp, begin, sizeof(begin) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return vm_err_sys(err, "ask QEMU for a dump");
	return 0;
}
