/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Users, groups and limits. */
#include "doctor.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/conf.h>

#include "host/mounts.h"

/* ---- ids ---- */
struct range {
	uint64_t first, count;
};

static bool overlap(const struct range *a, const struct range *b)
{
	return a->first < b->first + b->count && b->first < a->first + a->count;
}

/* Line by line; fields are split by ':'. */
static void each_line(struct vm_doctor *d, const char *file, unsigned id_field, unsigned count_field,
		      const struct range *ours)
{
	VM_AUTO_FREE char *text = vm_tree_text(&d->tree, file);
	char *line, *rest = text;

	while ((line = rest != NULL ? strsep(&rest, "\n") : NULL) != NULL) {
		char *fields[8] = { NULL }, *cursor = line;
		struct range r = { .count = 1 };

		for (size_t n = 0; n < VM_COUNT(fields) && cursor != NULL; n++)
			fields[n] = strsep(&cursor, ":");
		if (fields[id_field] == NULL || (count_field != 0 && fields[count_field] == NULL))
			continue;
		r.first = strtoull(fields[id_field], NULL, 10);
		if (count_field != 0)
			r.count = strtoull(fields[count_field], NULL, 10);
		if (r.first == 0 || r.first > UINT32_MAX || r.count > UINT32_MAX || !overlap(&r, ours))
			continue;
		vm_doctor_say(d, VM_HEALTH_FAIL, "set uid_first of vm.conf to a range that nobody has",
			      "ids of guests (%" PRIu64 "-%" PRIu64 ") meet %s's in /%s (%" PRIu64 "%s)", ours->first,
			      ours->first + ours->count - 1, fields[0], file, r.first, r.count > 1 ? "-..." : "");
	}
}

/* Ids that this user namespace has no names for cannot be taken. */
static bool mapped(struct vm_doctor *d, const struct range *ours)
{
	VM_AUTO_FREE char *text = vm_tree_text(&d->tree, "proc/self/uid_map");
	char *line, *rest = text;

	if (text == NULL)
		return true;
	while ((line = strsep(&rest, "\n")) != NULL) {
		uint64_t first, outside, count;

		if (sscanf(line, "%" SCNu64 " %" SCNu64 " %" SCNu64, &first, &outside, &count) == 3 &&
		    ours->first >= first && ours->first + ours->count <= first + count)
			return true;
	}
	return false;
}

/* A recorded host is $VM_ROOT by now. */
static size_t ids_taken(void)
{
	VM_AUTO_FREE char *path = vm_state_path("/var/lib/vm/uids");
	VM_AUTO(vm_tree_close) struct vm_tree here = VM_TREE_INIT;
	struct vm_err ignored = VM_ERR_INIT;

	return vm_tree_open(path, &here, &ignored) < 0 ? 0 : vm_tree_count(&here, ".");
}

void vm_doctor_ids(struct vm_doctor *d)
{
	struct range ours = { d->conf->uid_first, d->conf->uid_count };
	size_t before = d->n, used = ids_taken();

	if (ours.first + ours.count > UINT32_MAX) {
		vm_doctor_say(d, VM_HEALTH_FAIL, "lower uid_first or uid_count in vm.conf",
			      "the range of guests' ids ends above 4294967294");
		return;
	}
	each_line(d, "etc/passwd", 2, 0, &ours);
	each_line(d, "etc/group", 2, 0, &ours);
	each_line(d, "etc/subuid", 1, 2, &ours);
	each_line(d, "etc/subgid", 1, 2, &ours);
	if (!mapped(d, &ours))
		vm_doctor_say(d, VM_HEALTH_WARN,
			      "give the container these ids, or set uid_first and uid_count to some that it has",
			      "this user namespace has no ids %" PRIu64 "-%" PRIu64 ": guests get no user of their own",
			      ours.first, ours.first + ours.count - 1);
	if (used > ours.count - ours.count / 10)
		vm_doctor_say(d, VM_HEALTH_WARN, "raise uid_count in vm.conf", "%zu of %" PRIu64 " ids are taken",
			      used, ours.count);
	if (d->n == before)
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "guests' users are %" PRIu64 "-%" PRIu64 ", nobody else's",
			      ours.first, ours.first + ours.count - 1);
}

void vm_doctor_group_name(struct vm_doctor *d)
{
	VM_AUTO_FREE char *text = vm_tree_text(&d->tree, "etc/group");
	VM_AUTO_FREE char *remedy = NULL;
	const char *name = d->conf->group;
	size_t len = name != NULL ? strlen(name) : 0;

	if (len == 0) {
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "root alone may look at guests");
		return;
	}
	for (const char *line = text; line != NULL && *line != 0;) {
		if (strncmp(line, name, len) == 0 && line[len] == ':') {
			vm_doctor_say(d, VM_HEALTH_OK, NULL, "members of %s may look at guests", name);
			return;
		}
		line = strchr(line, '\n');
		line += line != NULL;
	}
	remedy = vm_xasprintf("groupadd --system %s, if others are to look", name);
	vm_doctor_say(d, VM_HEALTH_NOTE, remedy, "there is no group %s: root alone may look at guests", name);
}

/* ---- limits ---- */
/* A line of /proc/self/limits; false: not there.  UINT64_MAX = unlimited. */
static bool limit(const char *text, const char *name, uint64_t *ret_hard)
{
	const char *line = text != NULL ? strstr(text, name) : NULL;
	char soft[32], hard[32];

	if (line == NULL || sscanf(line + strlen(name), " %31s %31s", soft, hard) != 2)
		return false;
	*ret_hard = strcmp(hard, "unlimited") == 0 ? UINT64_MAX : strtoull(hard, NULL, 10);
	return true;
}

static const struct {
	const char *file;
	unsigned long long least;
	const char *loss, *remedy;
} kernel_limits[] = {
	{ "proc/sys/fs/inotify/max_user_instances", 128, "vm-events and vm-wait may not be able to follow guests",
	  "sysctl fs.inotify.max_user_instances=1024" },
	{ "proc/sys/fs/inotify/max_user_watches", 8192, "vm-events and vm-wait may not be able to follow guests",
	  "sysctl fs.inotify.max_user_watches=65536" },
	{ "proc/sys/fs/aio-max-nr", 65536, "disks with io='native' may not start",
	  "sysctl fs.aio-max-nr=1048576" },
	{ "proc/sys/kernel/pid_max", 16384, "few guests exhaust the host's threads", "sysctl kernel.pid_max=4194304" },
	{ "proc/sys/kernel/threads-max", 16384, "few guests exhaust the host's threads",
	  "sysctl kernel.threads-max=126000" },
};

#define NOFILE_LEAST 4096u

void vm_doctor_limits(struct vm_doctor *d)
{
	VM_AUTO_FREE char *text = vm_tree_text(&d->tree, "proc/self/limits");
	size_t before = d->n;
	uint64_t hard;

	if (limit(text, "Max open files", &hard) && hard < NOFILE_LEAST)
		vm_doctor_say(d, VM_HEALTH_WARN, "ulimit -Hn 524288, or nofile in /etc/security/limits.conf",
			      "a program may open %" PRIu64 " files: guests with many disks or queues may not start",
			      hard);
	if (d->session && limit(text, "Max locked memory", &hard) && hard < (64u << 20))
		vm_doctor_say(d, VM_HEALTH_NOTE, "memlock in /etc/security/limits.conf",
			      "a program may lock %" PRIu64 " KiB: no devices and no locked memory for guests of this user",
			      hard / 1024);
	for (size_t i = 0; i < VM_COUNT(kernel_limits); i++) {
		unsigned long long n;

		if (vm_tree_number(&d->tree, kernel_limits[i].file, &n) && n < kernel_limits[i].least)
			vm_doctor_say(d, VM_HEALTH_WARN, kernel_limits[i].remedy, "/%s is %llu: %s",
				      kernel_limits[i].file, n, kernel_limits[i].loss);
	}
	if (d->n == before)
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "limits are wide enough");
}

/* ---- /run ---- */
void vm_doctor_run(struct vm_doctor *d)
{
	VM_AUTO(vm_mounts_end) struct vm_mounts mounts;
	VM_AUTO_FREE char *type = NULL;
	struct vm_mount m;
	bool nodev = false;
	int r;

	vm_mounts_begin(vm_tree_text(&d->tree, "proc/self/mountinfo"), &mounts);
	if (mounts.text == NULL) {
		vm_doctor_say(d, VM_HEALTH_WARN, NULL, "/proc/self/mountinfo cannot be read: nothing is known of /run");
		return;
	}
	/* the last mount of it wins */
	while ((r = vm_mounts_next(&mounts, &m)) != 0)
		if (r > 0 && strcmp(m.point, "/run") == 0) {
			free(type);
			type = vm_xstrdup(m.type);
			nodev = vm_mount_option(m.options, "nodev");
		}
	if (type == NULL)
		vm_doctor_say(d, VM_HEALTH_NOTE, "have it mounted at boot: \"tmpfs /run tmpfs mode=755,nodev,nosuid\" in /etc/fstab",
			      "/run is no file system of its own: it survives a reboot, and nodes of guests' private /dev "
			      "work outside of them too");
	else if (!nodev)
		vm_doctor_say(d, VM_HEALTH_WARN, "mount -o remount,nodev /run, and in /etc/fstab",
			      "/run is mounted without nodev: nodes of guests' private /dev work outside of them too");
	else
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "/run is a %s without devices", type);
}
