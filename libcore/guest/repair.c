/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest/repair.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/model.h>
#include <vm/out.h>
#include <vm/xml.h>

#include "guest/hostdev_repair.h"

struct repair {
	const struct vm_program *p;
	const struct vm_common *c;
	struct vm_repair r;
	struct action {
		char *object, *what;
	} * actions;
	size_t n;
	int status;
};

static void did(const char *object, const char *what, void *arg)
{
	struct repair *w = arg;

	w->actions = vm_xreallocarray(w->actions, w->n + 1, sizeof(*w->actions));
	w->actions[w->n++] = (struct action){vm_xstrdup(object), vm_xstrdup(what)};
}

static void actions_free(struct repair *w)
{
	size_t i;

	for (i = 0; i < w->n; i++) {
		free(w->actions[i].object);
		free(w->actions[i].what);
	}
	free(w->actions);
}

static int tell(const struct repair *w, struct vm_err *err)
{
	static const struct vm_out_column columns[] = {{"object", "OBJECT"}, {"action", "ACTION"}};
	struct vm_out *out = vm_out_open(stdout, w->c->quiet ? VM_OUT_QUIET : VM_OUT_TABLE,
					 w->p->schema, w->c->json, false);
	size_t i;

	vm_out_bool(out, "changed", w->n && !w->c->dry_run);
	vm_out_array(out, "actions", columns, VM_COUNT(columns));
	for (i = 0; i < w->n; i++) {
		vm_out_row(out);
		vm_out_str(out, "object", w->actions[i].object);
		vm_out_str(out, "action", w->actions[i].what);
		vm_out_row_end(out);
	}
	vm_out_array_end(out);
	return vm_out_close(out, err);
}

static void failed(const char *object, const struct vm_err *err, void *arg)
{
	struct repair *w = arg;
	struct vm_err copy = *err;

	vm_err_object(&copy, object);
	vm_cli_report(w->p, w->c, &copy);
	if (!w->status)
		w->status = (int)copy.kind;
}

/* ---- indexes ---- */

static int make_index(const struct vm_state *s, const char *name, bool dry_run, struct vm_err *err)
{
	VM_AUTO(vm_xml_freep) struct vm_xml *doc = NULL;
	VM_AUTO(vm_domain_freep) struct vm_domain *d = NULL;
	VM_AUTO(vm_record_free) struct vm_record facts = VM_RECORD_INIT;
	VM_AUTO_FREE char *file = vm_xasprintf("%s.xml", name);
	VM_AUTO_FREE char *text = NULL;
	size_t len;

	if (vm_definition_read(s, name, &text, &len, err) < 0 ||
	    vm_xml_parse(text, len, file, &doc, err) < 0 ||
	    vm_domain_parse(doc, false, &d, err) < 0)
		return -1;
	vm_domain_facts(d, &facts);
	return dry_run ? 0 : vm_index_write(s, name, &facts, err);
}

/* A define that was killed between the definition and its index, or an edit by hand. */
static void repair_index(struct repair *w, const char *name)
{
	const struct vm_state *s = w->r.state;
	VM_AUTO(vm_guest_close) struct vm_guest g = VM_GUEST_INIT;
	VM_AUTO(vm_record_free) struct vm_record index = VM_RECORD_INIT;
	struct vm_err err = VM_ERR_INIT;

	if (vm_index_read(s, name, &index, &err) != 1)
		return;
	if (!w->c->dry_run &&
	    vm_guest_open(s, name, VM_GUEST_LOCKED | VM_GUEST_DEFINED | VM_GUEST_AS_IS,
			  vm_deadline_in(w->c->timeout_ms), &g, &err) < 0) {
		if (err.kind != VM_NOT_FOUND)
			failed(name, &err, w);
		return;
	}
	if (make_index(s, name, w->c->dry_run, &err) < 0) {
		/* What an admin wrote is not ours to mend, and no command was interrupted there. */
		if (err.kind == VM_BAD_INPUT || err.kind == VM_UNSUPPORTED)
			vm_log_warning("%s: its definition cannot be used: %s", name, err.msg);
		else
			failed(name, &err, w);
		return;
	}
	did(name, "made the index of its definition anew", w);
}

static int index_one(int dirfd, const char *file, void *arg)
{
	size_t len = strlen(file);
	struct stat st;

	if (len > 4 && strcmp(file + len - 4, ".xml") == 0 &&
	    fstatat(dirfd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
		VM_AUTO_FREE char *name = vm_xstrndup(file, len - 4);

		if (vm_name_valid(name))
			repair_index(arg, name);
	}
	return vm_wait_interrupted();
}

/* ---- whom ---- */

static void repair_named(struct repair *w)
{
	size_t i;

	for (i = 0; i < w->c->operands.n && !vm_wait_interrupted(); i++) {
		const char *ref = w->c->operands.v[i];
		VM_AUTO_FREE char *name = NULL;
		struct vm_err err = VM_ERR_INIT;

		/* a directory that is nobody's any more has only its name */
		if (vm_guest_resolve(w->r.state, ref, false, &name, &err) < 0) {
			if (!vm_name_valid(ref) || !vm_run_exists(w->r.state, ref)) {
				failed(ref, &err, w);
				continue;
			}
			name = vm_xstrdup(ref);
		}
		vm_repair_guest(&w->r, name);
		vm_repair_running(&w->r, name);
		if (vm_definition_exists(w->r.state, name))
			repair_index(w, name);
	}
}

static int repair_all(struct repair *w, struct vm_err *err)
{
	const struct vm_state *s = w->r.state;

	if (vm_repair_guests(&w->r, err) < 0)
		return -1;
	if (s->etc >= 0 && vm_dir_each(s->etc, index_one, w, err) < 0)
		return -1;
	return vm_hostdevs_repair(&w->r, err) < 0 ? -1 : vm_repair_places(&w->r, err);
}

int vm_repair_cli(const struct vm_program *p, const struct vm_common *c, bool all,
		  struct vm_host *host, struct vm_err *err)
{
	VM_AUTO(actions_free)
	struct repair w = {
	    .p = p,
	    .c = c,
	    .r = {.state = &host->state,
		  .dry_run = c->dry_run,
		  .timeout_ms = c->timeout_ms,
		  .did = did,
		  .failed = failed},
	};
	struct vm_err told = VM_ERR_INIT;
	int r = 0;

	w.r.arg = &w;
	if (all)
		r = repair_all(&w, err);
	else
		repair_named(&w);
	/* what was done is worth knowing also when not all could be */
	if (tell(&w, &told) < 0 && r == 0) {
		*err = told;
		r = -1;
	}
	return r < 0 ? -1 : w.status;
}
