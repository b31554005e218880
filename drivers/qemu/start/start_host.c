/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a start takes of the host before QEMU runs: claims, NVRAM, taps, sockets. */
#include "start_step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/lock.h>
#include <vm/log.h>
#include <vm/sock.h>
#include <vm/state.h>

#include "host/tap.h"
#include "model/domain.h"
#include "qemu/run/reap.h"

#define NVRAM_MAX (64u << 20)
#define BACKLOG	  8

static int claim_image(struct vm_start *s, const char *path, enum vm_claim_mode mode,
		       struct vm_err *err)
{
	VM_AUTO_FREE char *key = NULL;

	if (vm_claim_key_file(path, &key, err) < 0)
		return -1;
	return vm_claim_take(s->g, key, mode, path, err);
}

int vm_start_claims(struct vm_start *s, struct vm_err *err)
{
	const struct mt_list *disks = &s->d->disks;

	if (vm_undo_push(&s->undo, "claims", "all") < 0)
		return vm_err_sys(err, "write the journal of the start");
	for (uint32_t i = 0; i < disks->n; i++) {
		const struct vm_disk *disk = disks->v[i];
		enum vm_claim_mode mode = VM_CLAIM_EXCLUSIVE;

		if (disk->source == NULL || disk->source->path == NULL)
			continue;
		if (disk->readonly || disk->device == VM_DISK_CDROM)
			mode = VM_CLAIM_READ;
		else if (disk->shareable)
			mode = VM_CLAIM_SHARED;
		if (claim_image(s, disk->source->path, mode, err) < 0)
			return vm_err_wrap(err, "disk %s", disk->target);
		for (const struct vm_backing_store *b = disk->backing; b != NULL; b = b->backing)
			if (b->source != NULL && b->source->path != NULL &&
			    claim_image(s, b->source->path, VM_CLAIM_READ, err) < 0)
				return vm_err_wrap(err, "disk %s: backing image", disk->target);
	}
	return vm_start_claim_ports(s, err);
}

void vm_start_nvram_done(const struct vm_start *s)
{
	VM_AUTO_FREE char *before = NULL;

	if (s->d->os->nvram == NULL)
		return;
	before = vm_xasprintf("%s" VM_NVRAM_BEFORE, s->d->os->nvram);
	if (unlink(before) < 0 && errno != ENOENT)
		vm_log_warning("remove %s: %s", before, strerror(errno));
}

int vm_start_nvram(struct vm_start *s, struct vm_err *err)
{
	const struct vm_os *os = s->d->os;
	VM_AUTO_FREE char *text = NULL;
	size_t len;
	bool there;

	if (os->nvram == NULL || os->nvram_template == NULL)
		return 0;
	/* of a start that was killed right after its commit */
	vm_start_nvram_done(s);
	there = access(os->nvram, F_OK) == 0;
	if (there && !s->o->reset_nvram)
		return 0;
	if (vm_file_read(AT_FDCWD, os->nvram_template, NVRAM_MAX, &text, &len, NULL, err) < 0)
		return -1;
	if (vm_undo_push(&s->undo, there ? "nvram" : "file", "%s", os->nvram) < 0)
		return vm_err_sys(err, "write the journal of the start");
	if (there) {
		VM_AUTO_FREE char *before = vm_xasprintf("%s" VM_NVRAM_BEFORE, os->nvram);

		if (rename(os->nvram, before) < 0)
			return vm_err_sys(err, "rename %s", os->nvram);
	}
	return vm_file_write(AT_FDCWD, os->nvram, text, len, 0600, err);
}

static int before_tap(void *arg, const char *name, struct vm_err *err)
{
	return vm_start_hold(arg, "tap", name, err);
}

static bool is_virtio(const struct vm_interface *i)
{
	return i->model == VM_NET_VIRTIO || i->model == VM_NET_VIRTIO_TRANSITIONAL ||
	       i->model == VM_NET_VIRTIO_NON_TRANSITIONAL;
}

static int make_tap(struct vm_start *s, struct vm_interface *i, const char *alias,
		    struct vm_err *err)
{
	char mark[256];
	struct vm_tap_want want = {
		.name = i->target,
		.queues = i->queues > 0 ? (unsigned)i->queues : 1,
		.vnet_hdr = is_virtio(i),
		.bridge = i->kind == VM_INTERFACE_BRIDGE ? i->source->bridge : NULL,
		.mac = i->mac,
		.mtu = (uint32_t)i->mtu,
		.alias = vm_qemu_tap_alias(s->g, mark),
		.existing = i->target != NULL && i->target_managed == VM_SWITCH_OFF,
		.before = before_tap,
		.arg = s,
	};
	VM_AUTO(vm_tap_close) struct vm_tap tap = VM_TAP_INIT;

	if (vm_tap_open(&want, &tap, err) < 0)
		return vm_err_wrap(err, "interface %s", alias);
	if (i->target == NULL) {
		i->target = vm_xstrdup(tap.name);
		mt_assigned(&i->dev.obj, VM_INTERFACE_BIT_TARGET);
	}
	for (size_t n = 0; n < s->argv.nfds; n++) {
		const struct vm_argv_fd *f = &s->argv.fds[n];

		if (f->role == VM_FD_TAP && f->object == i && f->index < tap.n)
			vm_start_inherit(s, vm_take_fd(&tap.fd[f->index]), f->number);
	}
	return 0;
}

int vm_start_network(struct vm_start *s, struct vm_err *err)
{
	for (size_t n = 0; n < s->argv.nfds; n++) {
		const struct vm_argv_fd *f = &s->argv.fds[n];
		int fd;

		/* The model's objects are ours: argv only borrows them. */
		if (f->role == VM_FD_TAP && f->index == 0 &&
		    make_tap(s, (struct vm_interface *)(uintptr_t)f->object, f->alias, err) < 0)
			return -1;
		if (f->role != VM_FD_VHOST)
			continue;
		if (vm_vhost_net_open(&fd, err) < 0) {
			vm_err_hint(err, "load the module vhost_net, or give the interface "
					 "<driver name='qemu'/>");
			return vm_err_wrap(err, "interface %s", f->alias);
		}
		vm_start_inherit(s, fd, f->number);
	}
	return 0;
}

/* A server socket at a place of the admin's choice, or in the guest's own directory. */
static int listen_at(struct vm_start *s, const struct vm_argv_fd *f, struct vm_err *err)
{
	VM_AUTO_FREE char *dir = vm_xstrdup(f->path);
	VM_AUTO_FREE char *own = vm_xasprintf("%s/%s", s->g->state->run_path, s->g->name);
	VM_AUTO_FD int dirfd = -1;
	char *slash = strrchr(dir, '/');
	int fd;

	if (slash == NULL || slash[1] == 0)
		return vm_err_set(err, VM_BAD_INPUT, "%s: '%s' is no path of a socket", f->alias,
				  f->path);
	*slash = 0;
	if (strcmp(dir, own) == 0)
		dirfd = fcntl(s->g->run, F_DUPFD_CLOEXEC, 3);
	else if ((dirfd = open(*dir != 0 ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0)
		return vm_err_sys(err, "%s: directory %s", f->alias, dir);
	else if (vm_start_hold(s, "socket", f->path, err) < 0)
		return -1;
	if (vm_sock_listen(dirfd, slash + 1, 1, &fd, err) < 0)
		return vm_err_wrap(err, "%s", f->alias);
	vm_start_inherit(s, fd, f->number);
	return 0;
}

/*
 * A character device's file.  A regular one gets the watcher, if there is one, between, which bounds it: a guest must not fill
 * the disk.  When the watcher is killed the guest goes on and its output is lost; what reaches a <log> waits for
 * a watcher that is merely stopped, as it would for a disk.  The watcher follows no link, so it is told where
 * the file really is.
 */
static int open_output(struct vm_start *s, const struct vm_argv_fd *f, struct vm_err *err)
{
	VM_AUTO_FD int file = open(f->path,
				   O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_NONBLOCK | O_CLOEXEC |
					   (f->index == 0 ? O_TRUNC : 0),
				   0600);
	unsigned n = s->watch.nfiles;
	struct stat st;
	int ends[2];

	if (file < 0 || fstat(file, &st) < 0)
		return vm_err_sys(err, "%s: open %s", f->alias, f->path);
	if (!S_ISREG(st.st_mode) || s->o->no_watch || n == VM_WATCH_FILES) {
		vm_start_inherit(s, vm_take_fd(&file), f->number);
		return 0;
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return vm_err_sys(err, "pipe");
	s->watch_fds[VM_WATCH_FD_END - VM_WATCH_FD_RUN + n] = ends[0];
	s->watch_files[n] = realpath(f->path, NULL);
	if (s->watch_files[n] == NULL)
		return vm_err_sys(err, "%s: find %s", f->alias, f->path);
	s->watch.files[s->watch.nfiles++] = s->watch_files[n];
	vm_start_inherit(s, ends[1], f->number);
	if (fcntl(ends[1], F_SETFL, O_WRONLY | O_NONBLOCK) < 0)
		return vm_err_sys(err, "pipe");
	return 0;
}

static int monitor(struct vm_start *s, enum vm_fd_role role, const char *name, struct vm_err *err)
{
	for (size_t n = 0; n < s->argv.nfds; n++) {
		int fd;

		if (s->argv.fds[n].role != role)
			continue;
		if (vm_sock_listen(s->g->run, name, BACKLOG, &fd, err) < 0)
			return -1;
		vm_start_inherit(s, fd, s->argv.fds[n].number);
		return 0;
	}
	return vm_err_set(err, VM_SYSTEM, "the command line has no monitor %s", name);
}

int vm_start_sockets(struct vm_start *s, struct vm_err *err)
{
	int pipe_fds[2];

	for (size_t n = 0; n < s->argv.nfds; n++) {
		const struct vm_argv_fd *f = &s->argv.fds[n];

		if ((f->role == VM_FD_LISTEN && listen_at(s, f, err) < 0) ||
		    (f->role == VM_FD_FILE && open_output(s, f, err) < 0))
			return -1;
	}
	if (monitor(s, VM_FD_QMP, VM_RUN_QMP, err) < 0 ||
	    monitor(s, VM_FD_EVENTS, VM_RUN_EVENTS, err) < 0 ||
	    monitor(s, VM_FD_SPARE, VM_RUN_SPARE, err) < 0)
		return -1;
	if (vm_guest_alive_make(s->g, &s->alive, err) < 0)
		return -1;
	vm_start_inherit(s, s->alive, VM_ARGV_FIRST_FD - 1);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return vm_err_sys(err, "pipe");
	s->messages = pipe_fds[0];
	s->messages_write = pipe_fds[1];
	/* A watcher that was stopped must not stop QEMU. */
	if (fcntl(s->messages_write, F_SETFL, O_WRONLY | O_NONBLOCK) < 0)
		return vm_err_sys(err, "pipe");
	if (!s->o->no_watch)
		return vm_lock_take(s->g->run, VM_RUN_WATCH_LOCK, s->deadline, &s->watch_lock,
				    err);
	return 0;
}
