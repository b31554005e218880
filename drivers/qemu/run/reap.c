/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cgroup.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/process.h>
#include <vm/state.h>

#include "guest/group.h"
#include "guest/hooks.h"
#include "guest/tune.h"
#include "host/self.h"
#include "host/tap.h"
#include "state/hostdev.h"

/* How long processes of a guest that is dead may take to go. */
#define CGROUP_MS 10000u
/* ... and a driver to let go of a device of theirs, with time to say so. */
#define HOSTDEV_MS 40000u

const char *vm_qemu_tap_alias(const struct vm_guest *g, char *buf)
{
	VM_AUTO_FREE char *tag = vm_guest_group_tag(g->state);

	snprintf(buf, 256, "vm-utils %s%s%s/%s", g->state->driver, tag != NULL ? "." : "", tag != NULL ? tag : "",
		 g->name);
	return buf;
}

static int undo_tap(void *ctx, const char *arg, struct vm_err *err)
{
	char alias[256];

	return vm_tap_delete(arg, vm_qemu_tap_alias(ctx, alias), err);
}

/* Each line of what it said is a warning, but the last one where it failed. */
static const char *pass_on(char *said, bool failed)
{
	char *save = NULL, *line = strtok_r(said, "\n", &save), *next;

	for (; line != NULL; line = next) {
		next = strtok_r(NULL, "\n", &save);
		if (next == NULL && failed)
			return line;
		vm_log_warning("%s", line);
	}
	return "";
}

/*
 * By a program of its own: few guests have host devices.  What the kernel does not let go of is left stuck, with a
 * warning: the guest has ended all the same.
 */
static int undo_hostdev(void *ctx, const char *arg, struct vm_err *err)
{
	const struct vm_guest *g = ctx;
	VM_AUTO_FREE char *path = NULL;
	VM_AUTO_FREE char *said = NULL;
	char user[VM_NAME_MAX + 32];
	const char *why;
	const char *argv[] = { NULL, g->state->uri.session ? "qemu:///session" : "qemu:///system", user,
			       arg, NULL };
	int status;

	snprintf(user, sizeof(user), "%s/%s", g->state->driver, g->name);
	if (vm_self_helper("vm-hostdev-reap", &path, err) < 0)
		return -1;
	argv[0] = path;
	if (vm_run(argv, NULL, 4096, vm_deadline_in(HOSTDEV_MS + g->state->conf.hook_timeout_ms), NULL, &said, &status,
		   err) < 0)
		return vm_err_wrap(err, "give back %s", arg);
	why = pass_on(said, status != 0);
	return status != 0 ? vm_err_set(err, VM_SYSTEM, "give back %s: %s", arg, why) : 0;
}

/* The rest of what an attach does: by that program too. */
static int undo_acl(void *ctx, const char *arg, struct vm_err *err)
{
	(void)arg;
	return undo_hostdev(ctx, VM_PLUG_ACL, err);
}

static int undo_by(void *ctx, const char *what, const char *arg, struct vm_err *err)
{
	VM_AUTO_FREE char *text = vm_xasprintf("%s%s", what, arg);

	return undo_hostdev(ctx, text, err);
}

/* Few change their threads while they run. */
static int undo_threads(void *ctx, const char *arg, struct vm_err *err)
{
	return undo_by(ctx, VM_PLUG_THREADS, arg, err);
}

static int undo_affinity(void *ctx, const char *arg, struct vm_err *err)
{
	return undo_by(ctx, VM_PLUG_AFFINITY, arg, err);
}

static int undo_claims(void *ctx, const char *arg, struct vm_err *err)
{
	(void)arg;
	return vm_claim_drop_all(ctx, err);
}

/* Nothing but what the start made there: another kind of file is somebody else's. */
static int remove_made(const char *path, mode_t kind, struct vm_err *err)
{
	struct stat st;

	if (lstat(path, &st) < 0 || (st.st_mode & S_IFMT) != kind || unlink(path) == 0 ||
	    errno == ENOENT)
		return 0;
	return vm_err_sys(err, "remove %s", path);
}

/* A socket that was bound for a character device at a place of the admin's choice. */
static int undo_socket(void *ctx, const char *arg, struct vm_err *err)
{
	(void)ctx;
	return remove_made(arg, S_IFSOCK, err);
}

/* What the start told the hooks is told to be over: "stopped" or "release".  They cannot refuse that. */
static int undo_hook(void *ctx, const char *arg, struct vm_err *err)
{
	struct vm_guest *g = ctx;
	VM_AUTO_FREE char *document = NULL;
	struct vm_err failed = VM_ERR_INIT;

	(void)err;
	vm_file_read(g->run, VM_RUN_LIVE_XML, VM_DEFINITION_MAX, &document, NULL, NULL, &failed);
	failed = VM_ERR_INIT;
	if (vm_hooks_run(g->state, g->name, arg, "end", document, &failed) < 0)
		vm_log_warning("%s: %s", g->name, failed.msg);
	return 0;
}

/* A file that the start made and nobody used yet. */
static int undo_file(void *ctx, const char *arg, struct vm_err *err)
{
	(void)ctx;
	return remove_made(arg, S_IFREG, err);
}

/* One that was to be made anew: back to what it was, if it was renamed at all. */
static int undo_nvram(void *ctx, const char *arg, struct vm_err *err)
{
	VM_AUTO_FREE char *before = vm_xasprintf("%s" VM_NVRAM_BEFORE, arg);

	(void)ctx;
	return rename(before, arg) < 0 && errno != ENOENT ? vm_err_sys(err, "rename %s", before) : 0;
}

static int undo_cgroup(void *ctx, const char *arg, struct vm_err *err)
{
	(void)ctx;
	return vm_cgroup_undo(arg, vm_deadline_in(CGROUP_MS), err);
}

static int undo_owner(void *ctx, const char *arg, struct vm_err *err)
{
	char what[VM_OWNER_KEY_MAX + 8];

	snprintf(what, sizeof(what), "owner:%s", arg);
	return undo_hostdev(ctx, what, err);
}

const struct vm_undo_verb vm_qemu_undo_verbs[] = {
	{ VM_ACL_VERB, undo_acl },
	{ VM_CGROUP_VERB, undo_cgroup },
	{ "claims", undo_claims }, { "file", undo_file }, { "hook", undo_hook },
	{ VM_HOSTDEV_VERB, undo_hostdev },
	{ "nvram", undo_nvram }, { "owner", undo_owner },
	{ VM_PLUG_VERB, undo_hostdev },
	{ "socket", undo_socket }, { "tap", undo_tap },
	{ VM_TUNE_VERB_FILE, vm_tune_undo_file },
	{ VM_TUNE_VERB_THREADS, undo_threads },
	{ VM_TUNE_VERB_AFFINITY, undo_affinity },
	{ VM_TUNE_VERB_LIVE, vm_tune_undo_live },
	{ NULL, NULL },
};

/* ---- devices on their way ---- */

/* What was being attached is settled before its journal counts; a guest that does not let go keeps nobody waiting. */
static int settle(struct vm_guest *g, struct vm_err *err)
{
	bool plug = faccessat(g->run, VM_RUN_PLUG, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	char what[32];

	if (!plug && vm_record_get(&g->record, VM_KEY_UNPLUG) == NULL &&
	    faccessat(g->run, VM_RUN_DEFINE_WAS, F_OK, AT_SYMLINK_NOFOLLOW) < 0 && !vm_hostdev_lost(&g->record))
		return 0;
	/* It works under our lock: if we are killed, nobody else comes in before it ends. */
	snprintf(what, sizeof(what), VM_PLUG_SETTLE "%d", g->lock);
	if (undo_hostdev(g, what, err) < 0 && plug)
		return -1;
	err->kind = VM_OK;
	return vm_guest_refresh(g, err);
}

/* Undoes one "VERB ARGUMENT"; a verb of a newer version is an error, what it names is not let go. */
static int give_back(struct vm_guest *g, const char *held, struct vm_err *err)
{
	size_t len = strcspn(held, " ");

	for (const struct vm_undo_verb *v = vm_qemu_undo_verbs; v->name != NULL; v++)
		if (strlen(v->name) == len && memcmp(v->name, held, len) == 0)
			return v->undo(g, held[len] == ' ' ? held + len + 1 : "", err);
	return vm_err_set(err, VM_UNSUPPORTED, "the record holds '%s', which this version does not know",
			  held);
}

int vm_qemu_reap(struct vm_guest *g, bool dead, struct vm_deadline deadline, struct vm_err *err)
{
	struct vm_err one = VM_ERR_INIT;
	bool failed, change;
	size_t n = 0;

	if (g->run < 0)
		return 0;
	if (!dead && settle(g, err) < 0)
		return -1;
	change = faccessat(g->run, VM_RUN_UNDO_CHANGE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	failed = vm_undo_replay(g->run, VM_RUN_UNDO_CHANGE, vm_qemu_undo_verbs, g, err) < 0;
	/* What was being given to it anew is missing again. */
	if (!dead && !failed && change)
		failed = vm_guest_refresh(g, err) < 0 || settle(g, err) < 0;
	if (!dead)
		return failed ? -1 : 0;
	/* Helpers may outlive QEMU: nothing they use is given back before they are gone. */
	if (vm_guest_group_kill != NULL && vm_guest_group_kill(g, deadline, failed ? &one : err) < 0)
		return -1;
	/* The first failure is told; the rest is given back all the same. */
	if (vm_undo_replay(g->run, VM_RUN_UNDO_START, vm_qemu_undo_verbs, g,
			   failed ? &one : err) < 0)
		failed = true;
	while (vm_record_nth(&g->record, VM_KEY_HELD, n) != NULL)
		n++;
	while (n-- > 0)
		if (give_back(g, vm_record_nth(&g->record, VM_KEY_HELD, n), failed ? &one : err) < 0)
			failed = true;
	return failed ? -1 : 0;
}
