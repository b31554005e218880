/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inverses of what an attach does for QEMU.  Needs libc alone. */
#include "qemu/run/reap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/process.h>
#include <vm/state.h>

#include "confine/view.h"
#include "guest/group.h"
#include "guest/tune.h"
#include "host/task.h"

static bool is_below(const char *path)
{
	return *path != '/' && *path != 0 && strstr(path, "..") == NULL;
}

int vm_qemu_node_remove(const struct vm_guest *g, const char *below, struct vm_err *err)
{
	VM_AUTO_FD int dev = -1;
	VM_AUTO_FREE char *path = vm_xstrdup(below);
	struct vm_procid qemu;
	char *slash;

	if (vm_record_get(&g->record, VM_KEY_UID) == NULL || !is_below(below))
		return 0;
	if (!vm_record_bool(&g->record, VM_KEY_OWN_DEV, true) &&
	    vm_record_get_procid(&g->record, VM_KEY_PID, &qemu)) {
		VM_AUTO_FREE char *whole = vm_xasprintf("/dev/%s", below);

		if (vm_view_leave(qemu.pid, whole, err) < 0)
			return -1;
	}
	dev = openat(g->run, VM_RUN_DEV, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dev < 0)
		return errno == ENOENT ? 0 : vm_err_sys(err, "open the guest's /dev");
	if (unlinkat(dev, path, 0) < 0 && errno != ENOENT && errno != ENOTDIR)
		return vm_err_sys(err, "remove the guest's /dev/%s", path);
	/* Directories that were made for it alone; who was here before may have got as far as some of them. */
	while ((slash = strrchr(path, '/')) != NULL) {
		*slash = 0;
		if (unlinkat(dev, path, AT_REMOVEDIR) < 0 && errno != ENOENT)
			break;
	}
	return 0;
}

int vm_qemu_memlock_restore(const struct vm_guest *g, const char *was, struct vm_err *err)
{
	unsigned long long soft, hard;
	uint64_t soft_now, hard_now;
	struct rlimit limit;
	struct vm_procid qemu;
	VM_AUTO_FD int pidfd = -1;

	if (sscanf(was, "%llu %llu", &soft, &hard) != 2)
		return vm_err_set(err, VM_BAD_INPUT, "is damaged");
	/* Its number may be another process's by now. */
	if (!vm_record_get_procid(&g->record, VM_KEY_PID, &qemu) || vm_procid_open(&qemu, &pidfd, err) != 0)
		return err->kind != VM_OK ? -1 : 0;
	limit.rlim_cur = soft == UINT64_MAX ? RLIM_INFINITY : (rlim_t)soft;
	limit.rlim_max = hard == UINT64_MAX ? RLIM_INFINITY : (rlim_t)hard;
	if (prlimit(qemu.pid, RLIMIT_MEMLOCK, &limit, NULL) == 0 || errno == ESRCH)
		return 0;
	vm_err_sys(err, "set the limit of locked memory");
	/* Who may not raise it may not put it back either, and need not. */
	if (!vm_task_memlock(qemu.pid, &soft_now, &hard_now) || soft_now != soft || hard_now != hard)
		return -1;
	*err = VM_ERR_INIT;
	return 0;
}

static int undo_view(const struct vm_guest *g, const char *path, struct vm_err *err)
{
	struct vm_procid qemu;

	return vm_record_get_procid(&g->record, VM_KEY_PID, &qemu) ? vm_view_leave(qemu.pid, path, err) : 0;
}

static int undo_files(const struct vm_guest *g, const char *arg, struct vm_err *err)
{
	(void)arg;
	if ((unlinkat(g->run, VM_RUN_LIVE_NEW, 0) < 0 && errno != ENOENT) ||
	    (unlinkat(g->run, VM_RUN_RECORD_NEW, 0) < 0 && errno != ENOENT))
		return vm_err_sys(err, "remove what was to be");
	return 0;
}

static int undo_acl(const struct vm_guest *g, const char *arg, struct vm_err *err)
{
	(void)arg;
	return g->active ? vm_guest_acl_restore(g, err) : 0;
}

static int undo_threads(const struct vm_guest *g, const char *arg, struct vm_err *err)
{
	return vm_tune_undo_threads((void *)(uintptr_t)g, arg, err);
}

static int undo_affinity(const struct vm_guest *g, const char *arg, struct vm_err *err)
{
	return vm_tune_undo_affinity((void *)(uintptr_t)g, arg, err);
}

static const struct inverse {
	const char *what;
	int (*undo)(const struct vm_guest *g, const char *arg, struct vm_err *err);
} inverses[] = {
	{ VM_PLUG_ACL, undo_acl },
	{ VM_PLUG_AFFINITY, undo_affinity },
	{ VM_PLUG_CLAIM, vm_claim_drop },
	{ VM_PLUG_FILES, undo_files },
	{ VM_PLUG_MEMLOCK, vm_qemu_memlock_restore },
	{ VM_PLUG_NODE, vm_qemu_node_remove },
	{ VM_PLUG_THREADS, undo_threads },
	{ VM_PLUG_VIEW, undo_view },
};

int vm_qemu_plug_undo(const struct vm_guest *g, const char *what, struct vm_err *err)
{
	for (size_t i = 0; i < VM_COUNT(inverses); i++) {
		size_t len = strlen(inverses[i].what);

		if (strncmp(what, inverses[i].what, len) == 0)
			return inverses[i].undo(g, what + len, err);
	}
	return 1;
}
