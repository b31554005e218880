/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inverses of what tuning does.  Needs libc alone. */
#include "tune.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/state.h>

#include "group.h"
#include "host/task.h"

/* Source: FNV-1a, 64 bits; it tells texts apart, it proves nothing. */
void vm_tune_guard(const char *text, size_t len, char ret[17])
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
	snprintf(ret, 17, "%016" PRIx64, h);
}

/* Has the definition become what the change wanted?  Then the change counts and is not undone. */
static bool is_done(const struct vm_guest *g, const char *guard)
{
	VM_AUTO_FREE char *text = NULL;
	struct vm_err ignored = VM_ERR_INIT;
	char now[17];
	size_t len;

	if (strcmp(guard, "-") == 0 ||
	    vm_definition_read(g->state, g->name, &text, &len, &ignored) < 0)
		return false;
	vm_tune_guard(text, len, now);
	return strcmp(now, guard) == 0;
}

/* vm_undo_run() says of which step. */
static int malformed(struct vm_err *err)
{
	return vm_err_set(err, VM_BAD_INPUT, "is damaged");
}

/* A group of the guest's, and a file in it. */
static bool is_ours(const char *group, const char *file)
{
	return group[0] != '/' && strstr(group, "..") == NULL && strchr(file, '/') == NULL;
}

/* By file, not by row: a program that only ends guests does not carry the table. */
int vm_tune_undo_file(void *ctx, const char *arg, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup group = VM_CGROUP_INIT;
	VM_AUTO_FD int dir = -1;
	char guard[20], name[64], file[64];
	unsigned controller;
	int main, at = 0;

	if (sscanf(arg, "%19s %u %63s %63s%n", guard, &controller, name, file, &at) < 4 ||
	    arg[at] != ' ' || controller >= VM_CGROUP_CONTROLLERS || !is_ours(name, file))
		return malformed(err);
	if (is_done(ctx, guard))
		return 0;
	if (vm_guest_group_open(ctx, &group, err) < 0)
		return -1;
	main = vm_cgroup_dir(&group, controller, VM_CGROUP_MAIN);
	if (main >= 0)
		dir = openat(main, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* What is not there any more needs no undoing. */
	if (dir < 0)
		return 0;
	arg += at + 1;
	if (vm_kfile_write(dir, file, arg, err) == 0 || err->sys == ENOENT ||
	    err->sys == ENODEV) {
		*err = VM_ERR_INIT;
		return 0;
	}
	return vm_err_wrap(err, "%s '%s'", name, arg);
}

int vm_tune_undo_threads(void *ctx, const char *arg, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup group = VM_CGROUP_INIT;
	char guard[20], name[VM_THREAD_GROUP_NAME];

	if (sscanf(arg, "%19s %31s", guard, name) != 2)
		return malformed(err);
	if (is_done(ctx, guard))
		return 0;
	if (vm_guest_group_open(ctx, &group, err) < 0)
		return -1;
	return vm_thread_group_remove(&group, name, err);
}

int vm_tune_undo_affinity(void *ctx, const char *arg, struct vm_err *err)
{
	const struct vm_guest *g = ctx;
	struct vm_procid qemu;
	char guard[20];
	int tid, at = 0;

	if (sscanf(arg, "%19s %d %n", guard, &tid, &at) < 2 || at == 0)
		return malformed(err);
	if (is_done(g, guard) || !vm_record_get_procid(&g->record, VM_KEY_PID, &qemu) ||
	    !vm_task_is_of(qemu.pid, tid))
		return 0;
	if (vm_task_affinity_set(tid, arg + at) < 0 && errno != ESRCH)
		return vm_err_sys(err, "set its CPUs");
	return 0;
}

int vm_tune_undo_live(void *ctx, const char *arg, struct vm_err *err)
{
	const struct vm_guest *g = ctx;

	if (is_done(g, arg) || g->run < 0)
		return 0;
	if (renameat(g->run, VM_TUNE_LIVE_OLD, g->run, VM_RUN_LIVE_XML) < 0 && errno != ENOENT)
		return vm_err_sys(err, VM_RUN_LIVE_XML);
	return 0;
}
