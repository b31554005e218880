/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "attach_both.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/define.h>
#include <vm/file.h>
#include <vm/log.h>
#include <vm/model.h>
#include <vm/state.h>
#include <vm/xml.h>

#include "attach.h"
#include "driver.h"
#include "model/domain.h"

int vm_both_begin(const struct vm_guest *g, const char *text, size_t len, struct vm_err *err)
{
	VM_AUTO_FREE char *was = NULL;
	size_t was_len;

	if (vm_definition_read(g->state, g->name, &was, &was_len, err) < 0)
		return -1;
	/* The one that is to be counts, so it comes last, and goes first; the other one says that there is something. */
	if (vm_file_write_volatile(g->run, VM_RUN_DEFINE_WAS, was, was_len, 0640, err) < 0 ||
	    vm_file_write_volatile(g->run, VM_RUN_DEFINE, text, len, 0640, err) < 0) {
		vm_both_end(g);
		return -1;
	}
	return 0;
}

void vm_both_end(const struct vm_guest *g)
{
	static const char *const files[] = { VM_RUN_DEFINE, VM_RUN_DEFINE_WAS };

	/* A guest that has ended took them along. */
	for (size_t i = 0; g->run >= 0 && i < VM_COUNT(files); i++)
		if (unlinkat(g->run, files[i], 0) < 0 && errno != ENOENT) {
			/* The other one stays, too: it tells the next command to try again. */
			vm_log_warning("%s: remove %s: %s", g->name, files[i], strerror(errno));
			return;
		}
}

/* A document with its data. */
struct side {
	char *text; /* NULL: the document was read from elsewhere */
	size_t len;
	struct vm_xml *doc;
	struct vm_domain *d;
	struct vm_hostdev_list all;
};

static void side_free(struct side *s)
{
	vm_hostdev_list_free(&s->all);
	vm_domain_freep(&s->d);
	vm_xml_freep(&s->doc);
	free(s->text);
}

static int parse(struct side *s, const char *file, bool live, struct vm_err *err)
{
	if (vm_xml_parse(s->text, s->len, file, &s->doc, err) < 0 ||
	    vm_domain_parse(s->doc, live, &s->d, err) < 0)
		return -1;
	vm_hostdev_list_read(s->d, &s->all);
	return 0;
}

static bool has_let_go(const struct vm_guest *g, const struct side *live, const struct vm_hostdev *h)
{
	for (size_t i = 0; i < live->all.n; i++)
		if (vm_hostdev_same_source(live->all.v[i].h, h) && !vm_record_has(&g->record, VM_KEY_UNPLUG, live->all.v[i].h->dev.alias))
			return false;
	return true;
}

/* Has the running guest become what the definition says? */
static bool has_happened(const struct vm_guest *g, const struct side *was, const struct side *new, const struct side *live)
{
	for (size_t i = 0; i < new->all.n; i++)
		if (!vm_hostdev_in(was->d, new->all.v[i].h) && !vm_hostdev_in(live->d, new->all.v[i].h))
			return false;
	for (size_t i = 0; i < was->all.n; i++)
		if (!vm_hostdev_in(new->d, was->all.v[i].h) && !has_let_go(g, live, was->all.v[i].h))
			return false;
	return true;
}

static int store(struct vm_guest *g, const struct vm_planner *planner, const struct side *was, const struct side *new,
		 struct vm_deadline deadline, struct vm_err *err)
{
	const struct vm_define define = { .state = g->state,
					  .planner = planner,
					  .deadline = deadline,
					  .expected = was->text,
					  .expected_len = was->len };
	struct vm_defined done = { 0 };
	int r = vm_guest_define_open(&define, g, new->doc, &done, err);

	vm_defined_free(&done);
	return r < 0 ? -1 : 0;
}

static bool same(const struct side *a, const char *text, size_t len)
{
	return a->len == len && memcmp(a->text, text, len) == 0;
}

static int settle(struct vm_guest *g, const struct vm_planner *planner, struct vm_deadline deadline, struct vm_err *err)
{
	VM_AUTO(side_free) struct side was = { 0 }, new = { 0 }, live = { 0 };
	VM_AUTO_FREE char *now = NULL;
	size_t len;

	if (vm_file_read(g->run, VM_RUN_DEFINE, VM_DEFINITION_MAX, &new.text, &new.len, NULL, err) < 0 ||
	    vm_file_read(g->run, VM_RUN_DEFINE_WAS, VM_DEFINITION_MAX, &was.text, &was.len, NULL, err) < 0 ||
	    vm_definition_read(g->state, g->name, &now, &len, err) < 0)
		return -1;
	if (same(&new, now, len))
		return 0;
	if (!same(&was, now, len))
		return vm_err_set(err, VM_IN_USE, "it was changed meanwhile");
	if (vm_file_read(g->run, VM_RUN_LIVE_XML, VM_DEFINITION_MAX, &live.text, &live.len, NULL, err) < 0 ||
	    parse(&was, "its definition", false, err) < 0 || parse(&new, VM_RUN_DEFINE, false, err) < 0 ||
	    parse(&live, VM_RUN_LIVE_XML, true, err) < 0)
		return -1;
	if (!has_happened(g, &was, &new, &live))
		return 0;
	vm_log_step("change its definition as the running guest was changed");
	return store(g, planner, &was, &new, deadline, err);
}

int vm_both_settle(struct vm_guest *g, const struct vm_planner *planner, struct vm_deadline deadline)
{
	struct vm_err why = VM_ERR_INIT;

	if (faccessat(g->run, VM_RUN_DEFINE_WAS, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	/* What cannot be done now is not tried for ever: the running guest is what it is, and says so. */
	if (faccessat(g->run, VM_RUN_DEFINE, F_OK, AT_SYMLINK_NOFOLLOW) == 0 && settle(g, planner, deadline, &why) < 0)
		vm_log_warning("%s: its definition was not changed as the running guest was: %s", g->name, why.msg);
	vm_both_end(g);
	return 1;
}
