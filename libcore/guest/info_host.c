/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/out.h>

#include "host/task.h"
#include "info_sections.h"

pid_t vm_info_pid(const struct vm_info *i)
{
	struct vm_procid id;

	return i->live && vm_record_get_procid(&i->guest.record, VM_KEY_PID, &id) ? id.pid : 0;
}

static void out_number(struct vm_out *out, const char *key, const struct vm_record *facts)
{
	const char *text = vm_record_get(facts, key);

	if (text)
		vm_out_u64(out, key, vm_record_u64(facts, key, 0));
	else
		vm_out_null(out, key);
}

static void out_fact(struct vm_out *out, const char *key, const struct vm_record *facts)
{
	vm_out_str(out, key, vm_record_get(facts, key));
}

static void out_walls(struct vm_out *out, pid_t pid, bool own_user)
{
	struct vm_task_walls w;

	vm_out_list(out, "confinement");
	if (pid && vm_task_walls(pid, &w)) {
		if (w.seccomp)
			vm_out_str(out, NULL, "seccomp");
		if (w.own_mounts)
			vm_out_str(out, NULL, "private-dev");
		if (w.no_capabilities)
			vm_out_str(out, NULL, "nocaps");
		if (own_user)
			vm_out_str(out, NULL, "uid");
	}
	vm_out_list_end(out);
}

static unsigned count_snapshots(const struct vm_info *i);

static void summary_state(struct vm_info *i, struct vm_out *out)
{
	const char *word = vm_life_word(i->status.life);
	const char *reason = *i->status.reason ? i->status.reason : NULL;

	if (i->reason_with_state) {
		VM_AUTO_FREE char *both = vm_xasprintf("%s %s", word, reason ? reason : "-");

		vm_out_str(out, "state", both);
	} else {
		vm_out_str(out, "state", word);
	}
	vm_out_str(out, "reason", reason);
	if (i->status.since_ms)
		vm_out_u64(out, "since_ms", i->status.since_ms);
	else
		vm_out_null(out, "since_ms");
}

static int show_summary(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	const struct vm_guest *g = &i->guest;
	VM_AUTO_FREE char *user = NULL;
	pid_t pid = vm_info_pid(i);
	const char *uuid = vm_record_get(&i->facts, VM_KEY_UUID), *acl;
	int replaced;

	(void)err;
	vm_out_str(out, "name", g->name);
	vm_out_str(out, "uuid", uuid);
	if (pid)
		vm_out_u64(out, "id", (uint64_t)pid);
	else
		vm_out_null(out, "id");
	summary_state(i, out);
	vm_out_str(out, "driver", i->state->driver);
	out_fact(out, VM_FACT_OS_TYPE, &i->facts);
	out_fact(out, VM_FACT_MACHINE, &i->facts);
	out_number(out, VM_FACT_VCPUS, &i->facts);
	out_number(out, VM_FACT_VCPUS_MAX, &i->facts);
	out_number(out, VM_FACT_MEMORY, &i->facts);
	out_number(out, VM_FACT_MEMORY_MAX, &i->facts);
	vm_out_bool(out, "persistent", g->defined);
	vm_out_bool(out, "autostart", vm_autostart_get(i->state, g->name) == 1);
	vm_out_bool(out, "managed_save",
		    g->lib >= 0 && faccessat(g->lib, VM_LIB_SAVE, F_OK, 0) == 0);
	vm_out_u64(out, "snapshots", count_snapshots(i));
	if (pid)
		vm_out_u64(out, "pid", (uint64_t)pid);
	else
		vm_out_null(out, "pid");
	out_fact(out, VM_FACT_EMULATOR, &i->facts);
	replaced = pid ? vm_task_replaced(pid) : -1;
	if (replaced >= 0)
		vm_out_bool(out, "emulator_replaced", replaced);
	else
		vm_out_null(out, "emulator_replaced");
	vm_out_str(out, "cgroup", pid ? vm_record_get(&i->facts, VM_KEY_CGROUP) : NULL);
	acl = pid ? vm_record_get(&i->facts, "acl") : NULL;
	vm_out_str(out, "acl", pid && !acl ? "none" : acl);
	user = pid ? vm_task_user(pid) : NULL;
	vm_out_str(out, "user", user);
	out_walls(out, pid, vm_record_get(&i->facts, VM_KEY_UID) != NULL);
	out_number(out, VM_FACT_PORTS_FREE, &i->facts);
	vm_out_str(out, "title", vm_record_get(&i->facts, VM_KEY_TITLE));
	return 0;
}
const struct vm_info_section vm_info_summary = { .name = "summary", .show = show_summary };

static int show_state(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	(void)err;
	vm_out_row(out);
	summary_state(i, out);
	vm_out_str(out, "from", i->status.from);
	vm_out_row_end(out);
	return 0;
}
static const struct vm_out_column state_columns[] = {
	{ "state", "STATE" }, { "reason", "REASON" }, { "since_ms", "SINCE_MS" }, { "from", "FROM" },
};
const struct vm_info_section vm_info_state = {
	.name = "state", .columns = state_columns, .n_columns = VM_COUNT(state_columns),
	.show = show_state,
};

struct snapshot_walk {
	struct vm_out *out;
	unsigned n;
};

static int each_snapshot(int dirfd, const char *name, void *arg)
{
	struct snapshot_walk *w = arg;
	size_t len = strlen(name);

	(void)dirfd;
	if (name[0] == '.' || len < 5 || strcmp(name + len - 4, ".xml") != 0)
		return 0;
	w->n++;
	if (w->out) {
		VM_AUTO_FREE char *bare = vm_xstrndup(name, len - 4);

		vm_out_row(w->out);
		vm_out_str(w->out, "name", bare);
		vm_out_row_end(w->out);
	}
	return 0;
}

static unsigned walk_snapshots(const struct vm_info *i, struct vm_out *out)
{
	struct snapshot_walk w = { .out = out };
	VM_AUTO_FD int fd = -1;
	struct vm_err ignored = VM_ERR_INIT;

	if (i->guest.lib >= 0 && vm_dir_open(i->guest.lib, VM_LIB_SNAPSHOTS, &fd, &ignored) == 0)
		(void)vm_dir_each(fd, each_snapshot, &w, &ignored);
	return w.n;
}

static unsigned count_snapshots(const struct vm_info *i)
{
	return walk_snapshots(i, NULL);
}

static int show_snapshots(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	(void)err;
	walk_snapshots(i, out);
	return 0;
}
static const struct vm_out_column snapshot_columns[] = { { "name", "NAME" } };
const struct vm_info_section vm_info_snapshots = {
	.name = "snapshots", .columns = snapshot_columns, .n_columns = VM_COUNT(snapshot_columns),
	.show = show_snapshots,
};

static void out_process(struct vm_info *i, struct vm_out *out, const char *role, const char *key)
{
	struct vm_procid id;
	struct vm_task task;

	if (!i->live || !vm_record_get_procid(&i->guest.record, key, &id) ||
	    !vm_task_read(id.pid, id.pid, &task))
		return;
	vm_out_row(out);
	vm_out_str(out, "role", role);
	vm_out_u64(out, "pid", (uint64_t)id.pid);
	vm_out_str(out, "command", task.comm);
	vm_out_row_end(out);
}

/* The program behind a device; one that has ended is shown without its name. */
static void out_helper(struct vm_out *out, const char *device, pid_t pid)
{
	struct vm_task task;
	bool lives = vm_task_read(pid, pid, &task) && task.state != 'Z';

	vm_out_row(out);
	vm_out_str(out, "role", device);
	vm_out_u64(out, "pid", (uint64_t)pid);
	vm_out_str(out, "command", lives ? task.comm : NULL);
	vm_out_row_end(out);
}

static int show_processes(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	char name[VM_HELPER_NAME_MAX];
	struct vm_procid id;

	(void)err;
	out_process(i, out, "qemu", VM_KEY_PID);
	out_process(i, out, "watcher", VM_KEY_WATCHER);
	for (size_t n = 0; i->live && vm_record_get_helper(&i->guest.record, n, name, &id); n++)
		out_helper(out, name, id.pid);
	return 0;
}
static const struct vm_out_column process_columns[] = {
	{ "role", "ROLE" }, { "pid", "PID" }, { "command", "COMMAND" },
};
const struct vm_info_section vm_info_processes = {
	.name = "processes", .columns = process_columns, .n_columns = VM_COUNT(process_columns),
	.show = show_processes,
};

static void out_wall(struct vm_out *out, const char *name, bool on)
{
	vm_out_row(out);
	vm_out_str(out, "wall", name);
	vm_out_bool(out, "on", on);
	vm_out_row_end(out);
}

static int show_confinement(struct vm_info *i, struct vm_out *out, struct vm_err *err)
{
	struct vm_task_walls w;
	pid_t pid = vm_info_pid(i);

	(void)err;
	if (!pid || !vm_task_walls(pid, &w))
		return 0;
	out_wall(out, "seccomp", w.seccomp);
	out_wall(out, "no-new-privs", w.no_new_privs);
	out_wall(out, "nocaps", w.no_capabilities);
	out_wall(out, "private-dev", w.own_mounts);
	out_wall(out, "uid", vm_record_get(&i->facts, VM_KEY_UID) != NULL);
	return 0;
}
static const struct vm_out_column wall_columns[] = { { "wall", "WALL" }, { "on", "ON" } };
const struct vm_info_section vm_info_confinement = {
	.name = "confinement", .columns = wall_columns, .n_columns = VM_COUNT(wall_columns),
	.show = show_confinement,
};
