/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state/hostdev.h"
#include "state/internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <vm/cleanup.h>
#include <vm/events.h>
#include <vm/file.h>
#include <vm/log.h>

vm_guest_reap_fn *vm_guest_reap;

static int reap(struct vm_guest *g, bool dead, struct vm_deadline deadline, struct vm_err *err)
{
	if (vm_guest_reap)
		return vm_guest_reap(g, dead, deadline, err);
	if (!vm_entry_exists(g->run, VM_RUN_UNDO_START) && !vm_entry_exists(g->run, VM_RUN_UNDO_CHANGE) &&
	    !vm_entry_exists(g->run, VM_RUN_PLUG) && (dead || !vm_entry_exists(g->run, VM_RUN_DEFINE_WAS)) &&
	    !(dead && vm_record_get(&g->record, VM_KEY_HELD)))
		return 0;
	vm_err_set(err, VM_IN_USE, "an interrupted command left work to undo");
	return vm_err_hint(err, "vm-repair %s", g->name);
}

struct clear {
	struct vm_err *err;
	unsigned n;
};

static int clear_one(int dirfd, const char *name, void *arg)
{
	struct clear *c = arg;

	/* The record goes last: as long as it is there the guest is seen to be unfinished. */
	if (strcmp(name, VM_RUN_LOCK) == 0 || strcmp(name, VM_RUN_RECORD) == 0)
		return 0;
	c->n++;
	return vm_tree_remove(dirfd, name, c->err);
}

/* Returns how many there were, or -1. */
static int run_clear(struct vm_guest *g, struct vm_err *err)
{
	struct clear c = {err, 0};

	if (g->run < 0)
		return 0;
	if (vm_dir_each(g->run, clear_one, &c, err) < 0)
		return vm_err_wrap(err, "clear %s/%s", g->state->run_path, g->name);
	if (unlinkat(g->run, VM_RUN_RECORD, 0) == 0)
		c.n++;
	else if (errno != ENOENT)
		return vm_err_sys(err, "remove %s/%s/%s", g->state->run_path, g->name,
				  VM_RUN_RECORD);
	return (int)(c.n > 1000 ? 1000 : c.n);
}

static bool is_committed(const struct vm_guest *g)
{
	const char *phase = vm_record_get(&g->record, VM_KEY_PHASE);

	return phase != NULL && strcmp(phase, "running") == 0;
}

/* For those who look when the guest's own files are gone. */
static void tell_end(const struct vm_guest *g, const char *reason)
{
	struct vm_end end = { .guest = g->name, .reason = reason };
	struct vm_err err = VM_ERR_INIT;
	struct vm_procid qemu;

	if (!is_committed(g) || !vm_record_get_procid(&g->record, VM_KEY_PID, &qemu))
		return;
	end.pid = qemu.pid;
	end.began_ms = vm_record_u64(&g->record, VM_KEY_STARTED_MS, 0);
	if (vm_ends_append(g->state->run, &end, &err) < 0)
		vm_log_warning("%s: %s", g->name, err.msg);
}

/* How the run ended is worth knowing, by those who follow it and afterwards, but not worth failing for. */
static void keep_last(struct vm_guest *g, const struct vm_status *last)
{
	const struct vm_status nobody_knows = { .life = VM_SHUTOFF,
						.reason = "unknown",
						.from = "record" };
	struct vm_status s = nobody_knows;
	struct vm_err err = VM_ERR_INIT;

	/* the watcher's own word of the end comes from an event; any other's is after it */
	if (g->run >= 0 && is_committed(g) &&
	    (!last || !last->from || strcmp(last->from, "event") != 0))
		vm_status_wait_end(g->run);
	if (last) {
		s = *last;
	} else if (vm_status_read(g->run, &s, &err) == 0 && s.life == VM_SHUTTING_DOWN) {
		s.life = VM_SHUTOFF;
	} else if (s.life != VM_SHUTOFF && s.life != VM_CRASHED && s.life != VM_SAVED) {
		/* nobody saw the end */
		s = nobody_knows;
		s.since_ms = vm_realtime_ms();
	}
	if (g->run >= 0 && vm_events_end(g->run, s.reason, &err) < 0)
		vm_log_warning("%s: %s", g->name, err.msg);
	tell_end(g, s.reason);
	if (g->defined && g->lib >= 0 && vm_status_write_last(g->lib, &s, &err) < 0)
		vm_log_warning("%s: %s", g->name, err.msg);
}

/* A guest without definition leaves no trace but what somebody asked to be kept. */
static void forget_transient(const struct vm_guest *g)
{
	struct vm_err ignored;

	if (g->defined || g->lib < 0)
		return;
	(void)vm_guest_uid_drop(g, &ignored); /* else vm-repair's */
	(void)vm_tree_remove(g->lib, VM_LIB_TPM, &ignored);
	(void)unlinkat(g->lib, VM_LIB_LAST, 0);
	(void)unlinkat(g->lib, VM_LIB_INDEX, 0);
	(void)unlinkat(g->state->lib, g->name, AT_REMOVEDIR);
}

int vm_guest_finish(struct vm_guest *g, const struct vm_status *last, struct vm_deadline deadline,
		    struct vm_err *err)
{
	assert(g->lock >= 0);
	if (g->run >= 0 && vm_run_lock_held(g->run, VM_RUN_ALIVE) == 1)
		return vm_err_set(err, VM_IN_USE, "its process is alive");
	if (g->run >= 0 && reap(g, true, deadline, err) < 0)
		return -1;
	keep_last(g, last);
	if (vm_claim_drop_all(g, err) < 0 || run_clear(g, err) < 0)
		return -1;
	forget_transient(g);
	vm_record_free(&g->record);
	g->active = false;
	g->life = VM_SHUTOFF;
	return 0;
}

/* What a define or undefine that was killed left: half-written files, a link that leads nowhere. */
static int sweep_definition(struct vm_guest *g, struct vm_err *err)
{
	const struct vm_state *s = g->state;
	unsigned n = 0;
	int r = 0;

	if (s->etc >= 0)
		n += vm_file_sweep(s->etc);
	if (g->lib >= 0)
		n += vm_file_sweep(g->lib);
	if (!g->defined) {
		r = vm_uuid_links_sweep(s, g->name, err);
		if (r < 0)
			return -1;
		n += (unsigned)r;
		/* undefine removes the mark first, but a mark may have been set by hand */
		if (vm_autostart_set(s, g->name, false, err) == 0)
			n++;
		if (g->lib >= 0 && unlinkat(g->lib, VM_LIB_INDEX, 0) == 0)
			n++;
		r = vm_guest_uid_drop(g, err);
		if (r < 0)
			return -1;
		n += (unsigned)r;
		/* empty then, unless something was to be kept */
		if (g->lib >= 0 && unlinkat(s->lib, g->name, AT_REMOVEDIR) == 0) {
			vm_cleanup_fd(&g->lib);
			n++;
		}
	}
	return n > 0;
}

/* Alive: only what a later change left is to be undone, and a start's journal is void since its
 * commit. */
static int reconcile_running(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err)
{
	int r = 0;

	if (unlinkat(g->run, VM_RUN_UNDO_START, 0) == 0)
		r = 1;
	if (!vm_entry_exists(g->run, VM_RUN_UNDO_CHANGE) && !vm_entry_exists(g->run, VM_RUN_PLUG) &&
	    !vm_entry_exists(g->run, VM_RUN_DEFINE_WAS) && !vm_record_get(&g->record, VM_KEY_UNPLUG) &&
	    !vm_hostdev_lost(&g->record))
		return r;
	/* What was interrupted may have been at any of its files. */
	vm_file_sweep(g->run);
	if (g->state->etc >= 0)
		vm_file_sweep(g->state->etc);
	if (g->state->claims >= 0)
		vm_file_sweep(g->state->claims);
	vm_hostdev_sweep(g->state);
	return reap(g, false, deadline, err) < 0 ? -1 : 1;
}

int vm_guest_reconcile(struct vm_guest *g, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(vm_run_facts_free) struct vm_run_facts f = VM_RUN_FACTS_INIT;
	int r = 0, cleared;

	assert(g->lock >= 0);
	vm_run_facts_read(g->run, true, &f);
	if (f.alive == VM_ALIVE_HELD && !f.abandoned)
		return reconcile_running(g, deadline, err);
	if (f.alive != VM_ALIVE_NO ||
	    (vm_guest_group_populated && vm_guest_group_populated(g, err) == 1)) {
		vm_log_step("clear away what a dead run of %s left", g->name);
		if (vm_guest_make_dead(g, deadline, err) < 0 ||
		    vm_guest_finish(g, NULL, deadline, err) < 0)
			return -1;
		r = 1;
	}
	if (!g->rest)
		return r;
	/* A directory that is there without a command at work on it: one was killed. */
	if (vm_claim_drop_all(g, err) < 0)
		return -1;
	cleared = run_clear(g, err);
	if (cleared < 0)
		return -1;
	r |= cleared > 0;
	cleared = sweep_definition(g, err);
	g->rest = false;
	return cleared < 0 ? -1 : r || cleared;
}
