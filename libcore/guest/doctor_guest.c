/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One guest: would it start, and does it run as it should? */
#include "doctor.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/acl.h>
#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/xml.h>

#include "document.h"
#include "driver.h"
#include "guest/group.h"
#include "host/idmap.h"
#include "host/task.h"
#include "model/chain.h"
#include "model/domain.h"

/* All but the changes, as vm-start --dry-run. */
static void try_start(struct vm_doctor *d, struct vm_guest *g)
{
	const struct vm_start_options o = { .dry_run = true, .deadline = d->deadline };
	const struct vm_runner *runner;
	struct vm_err err = VM_ERR_INIT;

	if (vm_runner_find(d->state->driver, &runner, &err) < 0)
		vm_doctor_say_err(d, VM_HEALTH_FAIL, &err);
	else if (runner->start == NULL)
		vm_doctor_say(d, VM_HEALTH_NOTE, NULL, "the %s driver starts no guests", runner->name);
	else if (runner->start(g, &o, &err) < 0)
		vm_doctor_say_err(d, VM_HEALTH_FAIL, &err);
	else
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "it can be started");
}

static bool compatible(const char *mode, bool reads, bool shares)
{
	return mode != NULL && ((reads && strcmp(mode, "read") == 0) || (shares && strcmp(mode, "shared") == 0));
}

static void look_at_users(struct vm_doctor *d, const struct vm_guest *g, const char *path, bool reads,
			  bool shares)
{
	VM_AUTO(vm_record_free) struct vm_record r = VM_RECORD_INIT;
	VM_AUTO_FREE char *key = NULL;
	struct vm_err err = VM_ERR_INIT;
	size_t driver = strlen(d->state->driver);
	const char *user;

	if (vm_claim_key_file(path, &key, &err) < 0 || vm_claim_read(d->state, key, &r, &err) < 0)
		return;
	for (size_t i = 0; (user = vm_record_nth(&r, "user", i)) != NULL; i++) {
		VM_AUTO_FREE char *remedy = NULL;

		if (strncmp(user, d->state->driver, driver) == 0 && user[driver] == '/' &&
		    strcmp(user + driver + 1, g->name) == 0)
			continue;
		if (compatible(vm_record_nth(&r, "mode", i), reads, shares))
			continue;
		remedy = vm_xasprintf("end that one, or let both share it (<shareable/>, <readonly/>)");
		vm_doctor_say(d, VM_HEALTH_WARN, remedy, "%s is in use by guest %s", path,
			      strchr(user, '/') != NULL ? strchr(user, '/') + 1 : user);
	}
}

/* Whether its owner stays is the file system's matter. */
static void look_at_owner(struct vm_doctor *d, const char *path)
{
	VM_AUTO_FD int fd = open(path, O_PATH | O_CLOEXEC);
	struct vm_err err = VM_ERR_INIT;

	if (fd < 0 || d->session || geteuid() != 0 || vm_idmap_try(fd, &err) == 0)
		return;
	if (err.kind == VM_UNSUPPORTED)
		vm_doctor_say(d, VM_HEALTH_NOTE, "keep it on ext4, xfs or btrfs, if its owner must not change",
			      "%s changes its owner while the guest runs: its file system has no mapped mounts", path);
}

static void look_at_image(struct vm_doctor *d, const struct vm_guest *g, const char *path, bool reads,
			  bool shares)
{
	if (path == NULL || access(path, F_OK) < 0)
		return; /* the attempt to start has told */
	look_at_users(d, g, path, reads, shares);
	look_at_owner(d, path);
}

static void look_at_images(struct vm_doctor *d, const struct vm_guest *g)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *domain = NULL;
	struct vm_err err = VM_ERR_INIT;

	if (vm_document_load(d->state, g->name, VM_DOCUMENT_CURRENT, d->deadline, NULL, NULL, &doc, &err) < 0 ||
	    vm_domain_parse(doc, g->active, &domain, &err) < 0 ||
	    vm_domain_find_chains(domain, true, d->deadline, &err) < 0)
		return;
	for (uint32_t i = 0; i < domain->disks.n; i++) {
		const struct vm_disk *disk = domain->disks.v[i];
		bool reads = disk->readonly || disk->device == VM_DISK_CDROM;

		if (disk->source != NULL)
			look_at_image(d, g, disk->source->path, reads, disk->shareable);
		for (const struct vm_backing_store *b = disk->backing; b != NULL; b = b->backing)
			if (b->source != NULL)
				look_at_image(d, g, b->source->path, true, false);
	}
}

static bool lives(const struct vm_procid *id)
{
	VM_AUTO_FD int pidfd = -1;
	struct vm_err ignored = VM_ERR_INIT;

	return vm_procid_open(id, &pidfd, &ignored) == 0;
}

/* Rules that are not those it should have; a group that is gone, or that it is not in any more. */
static void look_at_group(struct vm_doctor *d, const struct vm_guest *g)
{
	VM_AUTO(vm_acl_check_free) struct vm_acl_check c = VM_ACL_CHECK_INIT;
	VM_AUTO_FREE char *remedy = vm_xasprintf("see vm-cgroup '%s' devices", g->name);
	size_t missing = 0, extra = 0;
	struct vm_err err = VM_ERR_INIT;

	if (vm_guest_acl_check(g, &c, &err) < 0) {
		vm_doctor_say_err(d, VM_HEALTH_WARN, &err);
		return;
	}
	for (size_t i = 0; i < c.n; i++) {
		missing += strcmp(c.rows[i].check, "missing") == 0;
		extra += strcmp(c.rows[i].check, "extra") == 0;
	}
	if (c.note != NULL)
		vm_doctor_say(d, VM_HEALTH_WARN, NULL, "%s", c.note);
	if (missing + extra > 0)
		vm_doctor_say(d, VM_HEALTH_WARN, remedy, "its device rules are not those it was given: %zu missing, %zu more",
			      missing, extra);
}

static void look_at_walls(struct vm_doctor *d, const struct vm_guest *g, pid_t pid)
{
	const char *acl = vm_record_get(&g->record, VM_KEY_ACL);
	struct vm_task_walls w;

	look_at_group(d, g);

	if (acl != NULL && strcmp(acl, "none") == 0)
		vm_doctor_say(d, VM_HEALTH_WARN, "see what vm-doctor acl says", "no device rules hold for it");
	if (!d->session && vm_record_get(&g->record, VM_KEY_UID) == NULL)
		vm_doctor_say(d, VM_HEALTH_WARN, "see what vm-doctor ids says; a restart of the guest gives it one",
			      "it has no user of its own");
	if (vm_task_walls(pid, &w) && !w.no_capabilities)
		vm_doctor_say(d, VM_HEALTH_WARN, NULL, "its QEMU has capabilities");
}

static void look_at_processes(struct vm_doctor *d, const struct vm_guest *g)
{
	char name[VM_HELPER_NAME_MAX];
	struct vm_procid id;

	if (!vm_record_get_procid(&g->record, VM_KEY_PID, &id))
		return;
	look_at_walls(d, g, id.pid);
	if (vm_task_replaced(id.pid) > 0)
		vm_doctor_say(d, VM_HEALTH_NOTE, "it gets the new one when it is started the next time",
			      "its QEMU has been replaced since it was started");
	if (!vm_record_get_procid(&g->record, VM_KEY_WATCHER, &id))
		vm_doctor_say(d, VM_HEALTH_NOTE, NULL, "it was started without a watcher");
	else if (!lives(&id))
		vm_doctor_say(d, VM_HEALTH_WARN, "it goes on; what it leaves at its end the next command gives back",
			      "its watcher has ended");
	for (size_t i = 0; vm_record_get_helper(&g->record, i, name, &id); i++)
		if (!lives(&id))
			vm_doctor_say(d, VM_HEALTH_WARN, "it comes back with the next start of the guest",
				      "the program behind %s has ended", name);
}

void vm_doctor_guest(struct vm_doctor *d, const char *ref)
{
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	struct vm_err err = VM_ERR_INIT;
	size_t before = d->n;

	if (vm_guest_open(d->state, ref, 0, d->deadline, &g, &err) < 0) {
		vm_doctor_say_err(d, VM_HEALTH_FAIL, &err);
		return;
	}
	if (!g.active) {
		try_start(d, &g);
		look_at_images(d, &g);
		return;
	}
	if (g.life == VM_STALE) {
		VM_AUTO_FREE char *remedy = vm_xasprintf("vm-repair '%s'", g.name);

		vm_doctor_say(d, VM_HEALTH_WARN, remedy, "its process is gone, what it used is not given back yet");
		return;
	}
	look_at_processes(d, &g);
	look_at_images(d, &g);
	vm_doctor_guest_hostdevs(d, &g);
	if (d->n == before)
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "it runs as it should");
}
