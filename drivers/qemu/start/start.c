/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The start of a guest, step by step.  Whatever fails, the host is as it was before. */
#include "qemu/qemu.h"
#include "start_step.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/events.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/model.h>
#include <vm/state.h>
#include <vm/xml.h>

#include "qemu/qmp/agent.h"
#include "qemu/caps/hostcpu.h"
#include "qemu/caps/caps.h"
#include "host/tap.h"
#include "qemu/lifecycle.h"
#include "model/chain.h"
#include "model/domain.h"
#include "qemu/plan/plan.h"
#include "qemu/qmp/qmp.h"
#include "qemu/run/reap.h"

/* A console on the serial port is that port under another name, as libvirt has it. */
static bool is_serial_console(const struct vm_domain *d, enum vm_device_family family,
			      const struct vm_device *dev)
{
	const struct vm_char *c = (const void *)dev;

	return family == VM_FAMILY_CONSOLE && d->serials.n > 0 && d->consoles.v[0] == dev &&
	       (c->target_type == VM_CONSOLE_SERIAL || c->target_type == VM_CONSOLE_ABSENT);
}

static int set_alias(enum vm_device_family family, struct vm_device *dev, void *arg)
{
	struct vm_domain *d = arg;

	if (dev->alias != NULL)
		return 0;
	if (is_serial_console(d, family, dev))
		dev->alias = vm_qemu_alias(d, VM_FAMILY_SERIAL, d->serials.v[0]);
	else
		dev->alias = vm_qemu_alias(d, family, dev);
	return 0;
}

/* What host-model is here and now becomes part of this run: its live document says it. */
static int write_out_cpu(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;

	if (vm_qemu_update_cpu(s->g->state, s->d, s->doc, s->deadline, &doc, err) < 0)
		return -1;
	if (doc == NULL)
		return 0;
	if (vm_domain_parse(doc, false, &d, err) < 0)
		return -1;
	vm_domain_free(s->d);
	s->d = vm_take_ptr(&d);
	vm_xml_free(s->doc);
	s->doc = vm_take_ptr(&doc);
	return 0;
}

static int step_document(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *own = NULL;
	VM_AUTO_FREE char *text = NULL;
	const struct vm_xml *doc = s->o->document;
	size_t len;

	if (doc == NULL) {
		VM_AUTO_FREE char *file = vm_xasprintf("%s/%s.xml", s->g->state->etc_path, s->g->name);

		if (vm_definition_read(s->g->state, s->g->name, &text, &len, err) < 0 ||
		    vm_xml_parse(text, len, file, &own, err) < 0)
			return -1;
		doc = own;
	}
	/* Facts that a definition edited by hand lacks are filled for this run; define keeps them. */
	if (vm_domain_complete(doc, NULL, &vm_qemu_completer, &s->doc, &s->d, err) < 0)
		return -1;
	if (write_out_cpu(s, err) < 0 || vm_qemu_place(s->d, s->deadline, err) < 0)
		return -1;
	/* What cannot be read now the check of the host will tell. */
	if (vm_domain_find_chains(s->d, true, s->deadline, err) < 0)
		return -1;
	s->as_written = strcmp(vm_xml_text(doc, NULL), vm_xml_text(s->doc, NULL)) == 0;
	memcpy(s->g->uuid, s->d->uuid, sizeof(s->g->uuid));
	s->g->has_uuid = true;
	vm_domain_each_device(s->d, set_alias, s->d);
	vm_qemu_number_disks(s->d);
	if (vm_hostdevs_resolve(s->d, 0, true, err) < 0)
		return -1;
	if (vm_hostdev_nodes_read(s->d, &s->hostdev_nodes, err) < 0)
		return -1;
	return vm_start_ports(s, 0, err);
}

static int step_check(struct vm_start *s, struct vm_err *err)
{
	struct stat st;

	if (s->g->lib >= 0 && !s->o->force_boot &&
	    fstatat(s->g->lib, VM_LIB_SAVE, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		vm_err_set(err, VM_UNSUPPORTED, "has a saved state, which cannot be restored yet");
		return vm_err_hint(err, "start it with --force-boot, which discards the saved state");
	}
	if (vm_start_check(s, err) < 0)
		return -1;
	return vm_domain_find_chains(s->d, false, s->deadline, err);
}

/* Where the host's end of the agent's channel will be. */
static void note_agent(const struct vm_domain *d, struct vm_record *r)
{
	for (uint32_t i = 0; i < d->channels.n; i++) {
		const struct vm_char *c = d->channels.v[i];

		if (c->type != VM_CHARDEV_UNIX || c->target_name == NULL ||
		    strcmp(c->target_name, VM_AGENT_CHANNEL) != 0)
			continue;
		vm_record_set(r, VM_KEY_AGENT,
			      c->backend != NULL && c->backend->path != NULL ? c->backend->path
									     : VM_AGENT_SOCKET);
		vm_record_setf(r, VM_KEY_AGENT_CHARDEV, "char%s", c->dev.alias);
	}
}

static int step_begin(struct vm_start *s, struct vm_err *err)
{
	struct vm_record *r = &s->g->record;
	char uuid[37];

	if (vm_guest_make_dirs(s->g, err) < 0)
		return -1;
	s->changed = true;
	if (vm_undo_open(&s->undo, s->g->run, VM_RUN_UNDO_START, vm_qemu_undo_verbs, s->g, err) < 0)
		return -1;
	vm_uuid_format(s->g->uuid, uuid);
	vm_record_free(r);
	vm_record_set(r, VM_KEY_NAME, s->g->name);
	vm_record_set(r, VM_KEY_UUID, uuid);
	vm_record_set(r, VM_KEY_DRIVER, s->g->state->driver);
	vm_record_set(r, VM_KEY_PHASE, "starting");
	vm_record_setf(r, VM_KEY_STARTED_MS, "%llu", (unsigned long long)vm_realtime_ms());
	vm_record_set(r, VM_KEY_PERSISTENT, s->g->defined ? "yes" : "no");
	vm_domain_facts(s->d, r);
	vm_record_set(r, VM_FACT_EMULATOR, s->emulator);
	note_agent(s->d, r);
	return 0;
}

/* QEMU runs for longer than its binary stays: what this one can do is kept beside it. */
static int step_abilities(struct vm_start *s, struct vm_err *err)
{
	return vm_qemu_caps_save(s->caps, s->g->run, VM_KEY_RUN_CAPS, err);
}

/* For those who follow: where no watcher writes, they learn from it at least the end.  Not worth failing for. */
static void begin_events(const struct vm_start *s)
{
	VM_AUTO(vm_events_writer_close) struct vm_events_writer w = VM_EVENTS_WRITER_INIT;
	struct vm_err err = VM_ERR_INIT;

	if (vm_events_create(s->g->run, s->g->state->conf.events_bytes, &w, &err) < 0 ||
	    vm_events_append_started(&w, s->launched.qemu.pid, &err) < 0)
		vm_log_step("no events are kept: %s", err.msg);
}

static int step_commit(struct vm_start *s, struct vm_err *err)
{
	struct vm_record *r = &s->g->record;

	if (s->launched.watcher.pid == 0)
		begin_events(s);
	vm_record_set_procid(r, VM_KEY_PID, &s->launched.qemu);
	if (s->launched.watcher.pid != 0)
		vm_record_set_procid(r, VM_KEY_WATCHER, &s->launched.watcher);
	vm_record_set(r, VM_KEY_PHASE, "running");
	if (vm_guest_record_write(s->g, err) < 0 || vm_undo_disarm(&s->undo, err) < 0)
		return -1;
	s->changed = false;
	vm_start_nvram_done(s);
	if (s->launched.control >= 0 && vm_start_hand_over(s, err) < 0)
		return -1;
	if (s->o->force_boot && s->g->lib >= 0)
		return vm_file_remove(s->g->lib, VM_LIB_SAVE, err);
	return 0;
}

/* A row without a function is the place of a step that this version does not have. */
static const struct step {
	const char *name;
	int (*run)(struct vm_start *s, struct vm_err *err);
	bool changes; /* not done by --dry-run */
} steps[] = {
	{ "read and complete the document", step_document, false },
	{ "plan the command line", vm_start_plan, false },
	{ "check the host", step_check, false },
	{ "make the guest's directories", step_begin, true },
	{ "ask the hooks to prepare", vm_start_hook_prepare, true },
	{ "take the guest's uid", vm_start_user, true },
	{ "claim its images", vm_start_claims, true },
	{ "bind its host devices to VFIO", vm_start_hostdevs, true },
	{ "make its NVRAM", vm_start_nvram, true },
	{ "make its network interfaces", vm_start_network, true },
	{ "prepare the programs beside QEMU", vm_start_helpers, true },
	{ "make its cgroup", vm_start_cgroup, true },
	{ "set its limits", vm_start_limits, true },
	{ "make its /dev", vm_start_view, true },
	{ "make its sockets", vm_start_sockets, true },
	{ "ask the hooks to start", vm_start_hook_start, true },
	{ "run QEMU", vm_start_launch, true },
	{ "keep what this QEMU can do", step_abilities, true },
	{ "let the guest run", vm_start_ready, true },
	{ "look after the programs beside QEMU", vm_start_helpers_take, true },
	{ "tell the hooks that it started", vm_start_hook_started, true },
	{ "commit", step_commit, true },
};

/* As if nothing had been begun. */
static void undo(struct vm_start *s)
{
	struct vm_status last = { .life = VM_SHUTOFF, .reason = "failed", .from = "record",
				  .since_ms = vm_realtime_ms() };
	struct vm_err err = VM_ERR_INIT;

	vm_wait_shield();
	vm_log_step("undo the start");
	vm_start_close_fds(s);
	vm_start_kill(s);
	if (vm_undo_run(&s->undo, &err) < 0 ||
	    vm_guest_finish(s->g, &last, vm_deadline_in(VM_UNDO_MS), &err) < 0)
		vm_log_warning("%s: the start was not undone whole: %s; run vm-repair %s", s->g->name,
			       err.msg, s->g->name);
	vm_wait_unshield();
}

static void close_start(struct vm_start *s)
{
	vm_start_close_fds(s);
	for (size_t i = VM_WATCH_FD_END - VM_WATCH_FD_RUN; i < VM_COUNT(s->watch_fds); i++)
		vm_cleanup_fd(&s->watch_fds[i]);
	for (size_t i = 0; i < VM_COUNT(s->watch_files); i++)
		free(s->watch_files[i]);
	vm_undo_close(&s->undo);
	vm_qmp_close(&s->qmp);
	vm_launched_close(&s->launched);
	vm_cleanup_fd(&s->messages);
	vm_cleanup_fd(&s->watch_lock);
	vm_cleanup_fd(&s->events);
	vm_view_free(&s->view);
	vm_cleanup_fd(&s->dev);
	free(s->label_file);
	free(s->label_text);
	vm_cgroup_entry_close(&s->qemu_group);
	for (size_t i = 0; i < s->nhelpers; i++) {
		vm_helper_free(&s->helpers[i]);
		vm_cleanup_fd(&s->helper_ready[i]);
	}
	vm_cgroup_entry_close(&s->helper_group);
	vm_cgroup_entry_close(&s->watch_group);
	vm_cgroup_close(&s->group);
	vm_scope_release(&s->scope);
	vm_argv_free(&s->argv);
	vm_qemu_caps_free(&s->caps);
	vm_domain_freep(&s->d);
	vm_xml_freep(&s->doc);
	free(s->emulator);
	vm_hostdev_nodes_free(&s->hostdev_nodes);
}

static int stay(struct vm_start *s, struct vm_err *err)
{
	s->watch.pid = s->launched.qemu.pid;
	s->watch.committed = true;
	if (s->o->up != NULL)
		s->o->up(s->o->up_arg);
	vm_qmp_close(&s->qmp);
	return vm_watch_become(&s->watch, s->watch_fds, err);
}

int vm_qemu_start(struct vm_guest *g, const struct vm_start_options *o, struct vm_err *err)
{
	struct vm_start s = {
		.g = g,
		.o = o,
		.deadline = o->deadline,
		.argv = VM_ARGV_INIT,
		.undo = VM_UNDO_INIT,
		.launched = VM_LAUNCHED_INIT,
		.alive = -1,
		.messages = -1,
		.messages_write = -1,
		.watch_lock = -1,
		.events = -1,
		.scope = VM_SCOPE_INIT,
		.view = VM_VIEW_INIT,
		.dev = -1,
		.group = VM_CGROUP_INIT,
		.qemu_group = VM_CGROUP_ENTRY_INIT,
		.helper_group = VM_CGROUP_ENTRY_INIT,
		.watch_group = VM_CGROUP_ENTRY_INIT,
	};
	int r = 0;

	for (size_t i = 0; i < VM_COUNT(s.watch_fds); i++)
		s.watch_fds[i] = -1;
	for (size_t i = 0; r == 0 && i < VM_COUNT(steps); i++) {
		if (steps[i].run == NULL)
			continue;
		vm_log_step("%s", steps[i].name);
		if (!steps[i].changes || !o->dry_run)
			r = steps[i].run(&s, err);
		if (r == 0 && i + 1 < VM_COUNT(steps) && vm_wait_interrupted()) {
			errno = EINTR;
			r = vm_err_sys(err, "start");
		}
	}
	if (r < 0 && s.changed)
		undo(&s);
	if (r == 0 && o->foreground && !o->dry_run)
		r = stay(&s, err);
	close_start(&s);
	return r;
}
