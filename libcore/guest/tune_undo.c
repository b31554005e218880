/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inverses of what tuning does.  Needs libc alone. */
#include "tune.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/state.h>

#include "group.h"
#include "host/task.h"

const struct vm_tunable vm_tune_cpus = {
	.key = "cpus", .kind = VM_TUNE_NODES, .where = VM_TUNE_IN_VCPUS,
	.controller = VM_CGROUP_CPUSET,
	.v1 = { { "cpuset.cpus", NULL, 0, 0 } }, .v2 = { { "cpuset.cpus", NULL, 0, 0 } },
};

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

static int malformed(const char *arg, struct vm_err *err)
{
	return vm_err_set(err, VM_BAD_INPUT, "the journal says '%.100s', which is not understood", arg);
}

/* What is not there any more needs no undoing. */
static int gone_is_fine(struct vm_err *err)
{
	if (err->kind != VM_NOT_FOUND && err->kind != VM_UNSUPPORTED)
		return -1;
	*err = VM_ERR_INIT;
	return 0;
}

int vm_tune_undo_file(void *ctx, const char *arg, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup group = VM_CGROUP_INIT;
	VM_AUTO(vm_tune_place_close) struct vm_tune_place p = VM_TUNE_PLACE_INIT;
	char guard[20], key[40], name[64];
	const struct vm_tunable *t;
	unsigned major, minor;
	int at = 0;

	if (sscanf(arg, "%19s %39s %63s %u:%u %n", guard, key, name, &major, &minor, &at) < 5 ||
	    at == 0)
		return malformed(arg, err);
	if (is_done(ctx, guard))
		return 0;
	t = strcmp(key, vm_tune_cpus.key) == 0 ? &vm_tune_cpus : vm_tunable_find(key, strlen(key));
	if (t == NULL || strstr(name, "..") != NULL || name[0] == '/')
		return malformed(arg, err);
	if (vm_guest_group_open(ctx, &group, err) < 0)
		return -1;
	if (vm_tune_place_open(&group, t, name, makedev(major, minor), &p, err) < 0 ||
	    vm_tune_write(&p, arg + at, err) < 0)
		return gone_is_fine(err);
	return 0;
}

int vm_tune_undo_threads(void *ctx, const char *arg, struct vm_err *err)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup group = VM_CGROUP_INIT;
	char guard[20], name[VM_THREAD_GROUP_NAME];

	if (sscanf(arg, "%19s %31s", guard, name) != 2)
		return malformed(arg, err);
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
		return malformed(arg, err);
	if (is_done(g, guard) || !vm_record_get_procid(&g->record, VM_KEY_PID, &qemu) ||
	    !vm_task_is_of(qemu.pid, tid))
		return 0;
	if (vm_task_affinity_set(tid, arg + at) < 0 && errno != ESRCH)
		return vm_err_sys(err, "let thread %d run on the CPUs %s again", tid, arg + at);
	return 0;
}

int vm_tune_undo_live(void *ctx, const char *arg, struct vm_err *err)
{
	const struct vm_guest *g = ctx;

	if (is_done(g, arg) || g->run < 0)
		return 0;
	if (renameat(g->run, VM_TUNE_LIVE_OLD, g->run, VM_RUN_LIVE_XML) < 0 && errno != ENOENT)
		return vm_err_sys(err, "put back %s of the run directory", VM_RUN_LIVE_XML);
	return 0;
}
